//! The suite that every store must pass. A store joins with one line in its tests:
//!
//! ```text
//! flowtrail_store::conformance_suite!(make_a_fresh_store);
//! ```
//!
//! where `make_a_fresh_store` is a function without arguments that returns a [`Subject`].

mod build;
pub mod executions;
pub mod filters;
pub mod imports;
pub mod lists;
pub mod prune_of_all;
pub mod resources;
pub mod statistics;
pub mod taken_away;
pub mod waiting;

use std::any::Any;
use std::fmt::{self, Debug};

use crate::Store;

/// A fresh store under test, and what must stay alive beside it, such as a temporary folder.
pub struct Subject {
    store: Box<dyn Store>,
    _kept: Box<dyn Any>,
}

impl Subject {
    /// A store, and what must outlive it.
    #[must_use]
    pub fn new(store: impl Store, kept: impl Any) -> Self {
        Self { store: Box::new(store), _kept: Box::new(kept) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }
}

impl Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

/// Declares one test for each requirement of the suite.
#[macro_export]
macro_rules! conformance_suite {
    ($make:expr) => {
        $crate::conformance_suite! { @tests $make,
            imports {
                what_is_restored_stays_as_it_was,
                what_was_restored_since_can_be_left_out,
                the_names_of_strangers_are_remembered,
            }
            executions {
                a_start_is_read_back_as_pending,
                a_whole_record_is_read_back,
                what_an_earlier_version_recorded_is_no_conflict,
                start_and_end_in_one_batch_are_one_row,
                an_end_is_applied_once,
                the_same_end_again_is_already_there,
                an_inferred_end_is_corrected_once,
                an_end_is_never_before_its_start,
                an_unknown_execution_is_refused_and_the_rest_is_written,
                the_same_start_again_is_already_there,
                another_start_of_the_same_id_is_a_conflict,
                a_fresh_id_that_was_taken_is_found_out,
                nodes_are_told_apart_by_number,
                nodes_may_come_late_only_to_an_inferred_end,
                ending_writes_running_nodes_as_they_are_given,
                a_cancel_is_asked_for_once_and_only_while_pending,
                pending_overdue_and_cancelled_are_listed,
                appends_renew_leases,
                counters_follow_every_change,
                concurrent_commits_are_all_there,
                odd_texts_survive,
            }
            lists {
                pages_have_every_execution_once,
                a_cursor_neither_skips_nor_repeats_while_new_ones_arrive,
                filters_choose,
                visibility_hides,
                an_anchor_leaves_out_what_came_later,
                counting_stops_at_its_bound,
                deep_pages_are_found_by_counting,
                lists_of_several_flows_are_merged,
                what_has_ended_is_listed_in_the_order_of_its_end,
            }
            filters {
                filters_choose_together_in_either_order,
                durations_choose_as_they_are_shown,
                tags_choose,
                texts_choose,
                ids_are_found_by_their_beginning,
                a_whole_id_names_an_execution_or_a_flow,
                durations_sort_the_same_while_new_ones_arrive,
            }
            statistics {
                statistics_equal_a_recount_and_a_log,
            }
            taken_away {
                what_is_deleted_is_gone,
                what_is_pruned_is_gone_at_once,
                ended_ones_are_listed_oldest_first,
                packing_changes_no_answer,
                many_prunes_are_worked_on_together,
            }
            waiting {
                what_waits_is_found_by_its_keys,
                several_wait_under_one_key,
                a_pending_node_is_replaced_once,
                unknown_times_of_nodes_stay_unknown,
                an_end_for_silence_is_void_after_a_renewal,
                an_end_may_say_more_besides,
            }
            prune_of_all {
                all_flows_are_pruned_at_once,
                a_prune_of_all_ends_with_an_hour,
                what_a_prune_of_all_covers_is_left_alone,
                a_prune_of_all_takes_over_from_prunes_of_flows,
                flows_are_pruned_beside_a_prune_of_all,
                a_prune_of_all_follows_another,
            }
            resources {
                flows_are_kept_with_their_versions,
                tool_names_are_unique_among_the_living,
                adding_flows_is_all_or_nothing,
                a_flow_changed_meanwhile_is_not_overwritten,
                a_deleted_flow_keeps_its_history,
                flows_are_listed_with_their_activity,
                flows_are_listed_to_whom_they_are_shared,
                every_change_of_a_flow_moves_the_revision,
                users_and_keys_are_kept,
                what_stands_for_a_user_goes_with_them_and_with_its_key,
                what_was_done_is_listed_newest_first,
                what_is_done_and_its_entry_are_one,
                instances_live_and_die,
            }
        }
    };
    (@tests $make:expr, $($module:ident { $($test:ident,)+ })+) => {
        $(mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(#[test]
            fn $test() {
                let subject: $crate::conformance::Subject = $make();
                $crate::conformance::$module::$test(subject.store());
            })+
        })+
    };
}
