//! The tables, with the column types of whichever database compiles this.

diesel::table! {
    use super::super::backend::sql::*;
    users (id) {
        id -> IdSql,
        name -> Text,
        role -> Text,
        created_at -> AtSql,
        deleted_at -> Nullable<AtSql>,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    api_keys (id) {
        id -> IdSql,
        name -> Text,
        user_id -> IdSql,
        prefix -> Text,
        hash -> Binary,
        created_at -> AtSql,
        last_used_at -> Nullable<AtSql>,
        expires_at -> Nullable<AtSql>,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    tokens (hash) {
        hash -> Binary,
        kind -> Text,
        user_id -> IdSql,
        key_id -> Nullable<IdSql>,
        flows -> Nullable<Text>,
        created_at -> AtSql,
        expires_at -> AtSql,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    audit (id) {
        id -> IdSql,
        at -> AtSql,
        user_id -> IdSql,
        user_name -> Text,
        action -> Text,
        subject_id -> Nullable<IdSql>,
        subject -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    flows (id) {
        id -> IdSql,
        kind -> Text,
        name -> Text,
        search_text -> Text,
        tool_name -> Nullable<Text>,
        description -> Text,
        active -> Bool,
        version -> Integer,
        timeout_us -> Nullable<BigInt>,
        public -> Bool,
        capture -> Text,
        owner_id -> IdSql,
        created_at -> AtSql,
        updated_at -> AtSql,
        deleted_at -> Nullable<AtSql>,
        retention -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    flow_versions (flow_id, version) {
        flow_id -> IdSql,
        version -> Integer,
        definition -> Binary,
        saved_by -> Nullable<IdSql>,
        saved_by_name -> Nullable<Text>,
        saved_by_admin -> Nullable<Bool>,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    flow_access (flow_id, user_id) {
        flow_id -> IdSql,
        user_id -> IdSql,
        can_write -> Bool,
    }
}

diesel::table! {
    flow_revision (id) {
        id -> Integer,
        revision -> BigInt,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    executions (id) {
        id -> IdSql,
        flow_id -> IdSql,
        flow_name -> Text,
        flow_tool_name -> Nullable<Text>,
        flow_version -> Nullable<Integer>,
        user_id -> Nullable<IdSql>,
        source -> Text,
        status -> Text,
        inferred -> Bool,
        started_at -> AtSql,
        ended_at -> Nullable<AtSql>,
        duration_us -> Nullable<BigInt>,
        deadline_at -> Nullable<AtSql>,
        instance_id -> Nullable<IdSql>,
        cancel_requested -> Bool,
        preview -> Nullable<Text>,
        error_summary -> Nullable<Text>,
        failed_node_id -> Nullable<Text>,
        parent_id -> Nullable<IdSql>,
        replay_of -> Nullable<IdSql>,
        capture_policy -> Text,
        digest -> Binary,
        end_digest -> Nullable<Binary>,
        created_at -> AtSql,
        updated_at -> AtSql,
        bytes -> BigInt,
        packed -> Bool,
        written -> BigInt,
        lease_us -> Nullable<BigInt>,
        imported_at -> Nullable<AtSql>,
        rejected -> Bool,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    execution_payloads (execution_id) {
        execution_id -> IdSql,
        params -> Nullable<Binary>,
        meta -> Nullable<Binary>,
        outputs -> Nullable<Binary>,
        error -> Nullable<Binary>,
        start_capture -> Nullable<Binary>,
        end_capture -> Nullable<Binary>,
        packed -> Nullable<Binary>,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    node_executions (execution_id, seq) {
        execution_id -> IdSql,
        seq -> Integer,
        node_id -> Text,
        node_name -> Text,
        node_type -> Text,
        status -> Text,
        executed_at -> Nullable<AtSql>,
        duration_us -> Nullable<BigInt>,
        input -> Nullable<Binary>,
        output -> Nullable<Binary>,
        error -> Nullable<Text>,
        error_kind -> Nullable<Text>,
        parent_seq -> Nullable<Integer>,
        iteration -> Nullable<Integer>,
        attempt -> Integer,
        capture -> Nullable<Binary>,
        digest -> Binary,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    waiting_calls (key, execution_id) {
        key -> Binary,
        execution_id -> IdSql,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    execution_tags (execution_id, key) {
        execution_id -> IdSql,
        key -> Text,
        value -> Text,
        started_at -> AtSql,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    flow_stats (flow_id, period, bucket, slot) {
        flow_id -> IdSql,
        period -> Text,
        bucket -> AtSql,
        slot -> Integer,
        pending -> BigInt,
        fulfilled -> BigInt,
        error -> BigInt,
        aborted -> BigInt,
        duration_us -> BigInt,
        bytes -> BigInt,
        durations -> Binary,
        removed_fulfilled -> BigInt,
        removed_error -> BigInt,
        removed_aborted -> BigInt,
        removed_duration_us -> BigInt,
        removed_bytes -> BigInt,
        removed_durations -> Binary,
        last_recorded_at -> Nullable<AtSql>,
        rejected -> BigInt,
        unrecorded -> BigInt,
        removed_rejected -> BigInt,
    }
}

diesel::table! {
    recount_wanted (id) {
        id -> Integer,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    prunes (flow_id) {
        flow_id -> IdSql,
        mark -> BigInt,
        below_at -> Nullable<AtSql>,
        below_id -> Nullable<IdSql>,
        resume_at -> Nullable<AtSql>,
        resume_id -> Nullable<IdSql>,
        edge_fulfilled -> BigInt,
        edge_error -> BigInt,
        edge_aborted -> BigInt,
        edge_duration_us -> BigInt,
        edge_bytes -> BigInt,
        edge_durations -> Binary,
        edge_rejected -> BigInt,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    prune_late (flow_id, bucket, slot) {
        flow_id -> IdSql,
        bucket -> AtSql,
        slot -> Integer,
        fulfilled -> BigInt,
        error -> BigInt,
        aborted -> BigInt,
        duration_us -> BigInt,
        bytes -> BigInt,
        durations -> Binary,
        rejected -> BigInt,
    }
}

diesel::table! {
    use super::super::backend::sql::*;
    instances (id) {
        id -> IdSql,
        started_at -> AtSql,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    api_keys,
    tokens,
    audit,
    flows,
    flow_versions,
    flow_access,
    executions,
    execution_payloads,
    node_executions,
    waiting_calls,
    flow_stats,
    prunes,
    prune_late,
);
