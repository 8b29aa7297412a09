//! The service.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowtrail_store::{Applied, Command, NewExecution, StorageSize, Store, StoreError};
use flowtrail_types::{
    CaptureMarks, CapturePolicy, Clock, Digest, ExecutionId, IdSource, InstanceId, InvalidTag, Principal,
    RandomIds, Retention, SystemClock, Tag,
};
use time::OffsetDateTime;
use tokio::sync::{broadcast, watch};

use crate::access;
use crate::capture::{Capture, Captured, note};
use crate::changes::{Changed, WAITING};
use crate::events::Hub;
use crate::handle::{Span, digested};
use crate::housekeeping::Housekeeper;
use crate::measures::Counters;
use crate::recorder::{Patience, Recorder, RecorderLimits};
use crate::running::Running;
use crate::service::{Catalog, Known, Rejections};
use crate::upkeep::{Progress, UpkeepSignal, UpkeepThread};
use crate::{Ack, ExecutionHandle, Redactor, StartExecution, TrackerError};

/// How a tracker works. The default is right for most.
#[derive(Debug)]
pub struct Options {
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    /// What is taken out of payloads.
    pub redactor: Redactor,
    /// The most bytes that a stored payload may have. 1 MiB by default.
    pub max_payload: usize,
    /// Maximum number of node executions of an execution. Reports with more are refused; of what runs here only the last
    /// iterations of loops are recorded beyond it. 10,000 by default.
    pub max_nodes: usize,
    /// How long an execution may take when neither it nor its flow says. 5 minutes by default.
    pub execution_timeout: Duration,
    /// How much may wait to be written.
    pub limits: RecorderLimits,
    /// How often the housekeeping looks around; absent, it does so only when [`Tracker::housekeep`] is called.
    pub housekeeping: Option<Duration>,
    /// Which executions are kept of flows that have no rules of their own. Everything by default.
    pub retention: Retention,
    /// How long entries of the audit log are kept. For ever by default.
    pub audit_retention: Option<Duration>,
    /// The most bytes that the database may take on disk: the oldest executions are deleted to stay below it.
    pub max_disk: Option<u64>,
    /// Whether calls are recorded that are rejected before they run: of unknown or inactive tools, or with arguments that the
    /// flow does not take. Off by default.
    pub record_rejected: bool,
    /// Whether this process takes part in the upkeep: retention, packing, giving back space. Of all that share a database
    /// one at a time does it. On by default.
    pub upkeep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds::default()),
            redactor: Redactor::new([])
                .unwrap_or_else(|error| unreachable!("no secret is no bad one: {error}")),
            max_payload: 1 << 20,
            max_nodes: 10_000,
            execution_timeout: Duration::from_secs(300),
            limits: RecorderLimits::default(),
            housekeeping: Some(Duration::from_millis(200)),
            retention: Retention::default(),
            audit_retention: None,
            max_disk: None,
            record_rejected: false,
            upkeep: true,
        }
    }
}

/// Records executions durably and answers questions about them. Cheap to clone; all clones are one.
///
/// When the last clone is dropped, or [`close`](Self::close) is called, what is waiting is written.
#[derive(Debug, Clone)]
pub struct Tracker {
    pub(crate) inner: Arc<Inner>,
    /// Stops when the last clone is dropped; it holds no clone itself.
    _housekeeper: Option<Arc<Housekeeper>>,
    _upkeep: Option<Arc<UpkeepThread>>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) redactor: Redactor,
    pub(crate) max_payload: usize,
    pub(crate) max_nodes: usize,
    pub(crate) execution_timeout: Duration,
    pub(crate) instance: InstanceId,
    /// True when the store knows of this process. It does not while the disk is full.
    pub(crate) is_registered: AtomicBool,
    pub(crate) recorder: Recorder,
    pub(crate) running: Running,
    pub(crate) catalog: Catalog,
    pub(crate) known: Known,
    /// The number by which the store tells that another process has written, when it was last looked at.
    pub(crate) seen_changes: Mutex<Option<i64>>,
    pub(crate) retention: Retention,
    pub(crate) audit_retention: Option<Duration>,
    pub(crate) max_disk: Option<u64>,
    /// Present when rejected calls are recorded.
    pub(crate) rejections: Option<Rejections>,
    pub(crate) progress: Mutex<Progress>,
    pub(crate) upkeep_signal: UpkeepSignal,
    pub(crate) changes: broadcast::Sender<Changed>,
    pub(crate) hub: Hub,
    pub(crate) counters: Arc<Counters>,
    /// Moves when a key or a token of this process's doing is good no longer.
    pub(crate) credentials: watch::Sender<u64>,
    /// Held while keys are taken away: the last administrator keeps one.
    pub(crate) revoking: Mutex<()>,
}

impl Tracker {
    /// A tracker over a store, with the default options.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn open(store: impl Store) -> Result<Self, TrackerError> {
        Self::with_options(store, Options::default())
    }

    /// A tracker over a store.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn with_options(store: impl Store, options: Options) -> Result<Self, TrackerError> {
        let store: Arc<dyn Store> = Arc::new(store);
        let now = options.clock.now();
        let instance = InstanceId::from_uuid(options.ids.next(now));
        if let Some(ceiling) = options.max_disk {
            store.upkeep().set_ceiling(ceiling)?;
        }
        let registered = store.instances().register(instance, now);
        let is_registered = registered.is_ok();
        if let Err(error) = registered {
            // On a full disk what is there can be read all the same.
            error.is_of_disk().then(|| log::error!("{error}")).ok_or(error)?;
        }
        let catalog = Catalog::load(&*store)?;
        let changes = broadcast::Sender::new(WAITING);
        let counters = Arc::new(Counters::default());
        let inner = Arc::new(Inner {
            recorder: Recorder::start(
                Arc::clone(&store),
                Arc::clone(&options.clock),
                options.limits,
                options.max_disk,
                changes.clone(),
                Arc::clone(&counters),
            )?,
            store,
            clock: options.clock,
            ids: options.ids,
            redactor: options.redactor,
            max_payload: options.max_payload,
            max_nodes: options.max_nodes,
            execution_timeout: options.execution_timeout,
            instance,
            is_registered: AtomicBool::new(is_registered),
            running: Running::default(),
            catalog,
            known: Known::default(),
            seen_changes: Mutex::default(),
            retention: options.retention,
            audit_retention: options.audit_retention,
            max_disk: options.max_disk,
            rejections: options.record_rejected.then(Rejections::default),
            progress: Mutex::default(),
            upkeep_signal: UpkeepSignal::default(),
            changes,
            hub: Hub::default(),
            counters,
            credentials: watch::Sender::default(),
            revoking: Mutex::default(),
        });
        let housekeeper = match options.housekeeping {
            Some(every) => Some(Arc::new(Housekeeper::start(Arc::downgrade(&inner), every)?)),
            None => None,
        };
        let upkeep = if options.upkeep {
            let signal = Arc::clone(&inner.upkeep_signal);
            Some(Arc::new(UpkeepThread::start(Arc::downgrade(&inner), signal)?))
        } else {
            None
        };
        Ok(Self { inner, _housekeeper: housekeeper, _upkeep: upkeep })
    }

    /// An execution begins. When the acknowledgement is there it is pending and durable, and may run.
    ///
    /// # Errors
    ///
    /// At once: when the principal may not call the flow, or a value is out of bounds. By the acknowledgement:
    /// when it was not written.
    pub fn start(
        &self,
        principal: &Principal,
        start: StartExecution<'_>,
    ) -> Result<Ack<ExecutionHandle>, TrackerError> {
        access::require_use(principal, start.flow, "call this flow")?;
        let policy = start.flow.capture;
        let span = self.inner.span(&start);
        let started_at = start.started_at.unwrap_or(span.began_at);
        let new = self.inner.new_execution(principal, &start, started_at, Some(self.inner.instance))?;
        // An id that the reporter chose may be another handle's: then this one must not touch it.
        let is_ours = new.id_is_fresh;
        let make = {
            let (inner, id) = (Arc::clone(&self.inner), new.id);
            move || ExecutionHandle::new(Arc::clone(&inner), id, policy, span)
        };
        // The handle is there before the answer: if nobody waits for that, its drop ends the execution, and a wish
        // to cancel that comes at once finds it.
        let mut handle = is_ours.then(&make);
        let receiver = self.inner.recorder.submit(Command::Start(Box::new(new)), Patience::Refusable);
        Ok(Ack::new(receiver, move |reply| match reply {
            Ok(Applied::Written) => Ok(handle.take().unwrap_or_else(make)),
            Ok(Applied::Already | Applied::Corrected) => {
                // Whoever holds the handle of that execution goes on with it.
                if let Some(handle) = handle.take() {
                    handle.forget();
                }
                Err(TrackerError::Conflict { what: "this execution".to_owned() })
            }
            Err(error) => {
                if let Some(handle) = handle.take() {
                    handle.forget();
                }
                Err(error)
            }
        }))
    }

    /// Tells when a key or a token may be good no longer because of what was asked of this process. What other processes
    /// revoke shows when it is looked at.
    #[must_use]
    pub fn revocations(&self) -> watch::Receiver<u64> {
        self.inner.credentials.subscribe()
    }

    /// Where this tracker's times come from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Where this tracker's ids come from.
    #[must_use]
    pub fn ids(&self) -> &Arc<dyn IdSource> {
        &self.inner.ids
    }

    /// This process, as its executions name it.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.inner.instance
    }

    /// How many executions run in this process.
    #[must_use]
    pub fn running(&self) -> usize {
        self.inner.running.count()
    }

    /// Whether the store answers, its schema is current and the queue is not full. Blocks.
    ///
    /// # Errors
    ///
    /// When one of them is not so.
    pub fn check(&self) -> Result<(), TrackerError> {
        self.inner.store.check()?;
        if self.inner.recorder.is_full() { Err(TrackerError::Busy) } else { Ok(()) }
    }

    /// Waiting time of the oldest record that is not written yet. Does not block.
    #[must_use]
    pub fn oldest_waiting(&self) -> Option<Duration> {
        self.inner.recorder.oldest()
    }

    /// What the database takes, table by table. Reads all of it. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn storage_size(&self) -> Result<StorageSize, TrackerError> {
        Ok(self.inner.store.upkeep().size()?)
    }

    /// True when a configured secret's value stands in a text.
    #[must_use]
    pub fn knows_secret(&self, text: &str) -> bool {
        self.inner.redactor.knows(text)
    }

    /// Tells all executions that run in this process to stop because it ends, also those that begin from now on.
    pub fn shut_down_running(&self) {
        self.inner.running.shut_down();
    }

    /// Writes what is waiting and refuses what comes later. What still runs then is ended as interrupted by the
    /// next process that looks. Blocks. Dropping the last clone does the same.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn close(&self) {
        if !self.recorder.close() {
            // A database that does not answer would not answer this either.
            return;
        }
        if let Err(error) = self.store.instances().release(self.instance) {
            log::warn!("this process cannot be signed off: {error}");
        }
        // While something is pending, somebody has to find out that it was left behind.
        let left = self.store.executions().list_pending(self.instance, 1);
        if left.is_ok_and(|left| left.is_empty())
            && let Err(error) = self.store.instances().forget(self.instance)
        {
            log::warn!("this process cannot be signed off: {error}");
        }
    }

    pub(crate) fn capture(&self, policy: CapturePolicy) -> Capture<'_> {
        Capture { redactor: &self.redactor, policy, max_payload: self.max_payload, is_repeatable: false }
    }

    /// How long an execution may take.
    fn timeout(&self, start: &StartExecution<'_>) -> Duration {
        start.timeout.or(start.flow.timeout).unwrap_or(self.execution_timeout)
    }

    /// The time of an execution that begins now in this process.
    pub(crate) fn span(&self, start: &StartExecution<'_>) -> Span {
        Span::begin(&*self.clock, self.timeout(start))
    }

    /// The row of an execution that begins, at this time.
    pub(crate) fn new_execution(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        started_at: OffsetDateTime,
        instance_id: Option<InstanceId>,
    ) -> Result<NewExecution, TrackerError> {
        check_tags(&start.tags)?;
        let flow = start.flow;
        let now = self.clock.now();
        let timeout = start.lease.unwrap_or_else(|| self.timeout(start));
        let id = match start.id {
            None => ExecutionId::from_uuid(self.ids.next(started_at)),
            Some(id) => ExecutionId::chosen(*id.as_uuid(), now)
                .map_err(|error| TrackerError::invalid("id", error.to_string()))?,
        };
        // Of an id that is made here nothing was recorded before.
        let capture = Capture { is_repeatable: start.id.is_some(), ..self.capture(flow.capture) };
        let mut marks = CaptureMarks::new();
        let params = start.params.map(|params| capture.payload(params).part_of(start.whole_params));
        if let Some(params) = &params {
            note(&mut marks, "initialParams", params);
        }
        let meta = start.meta.map(|meta| capture.payload(meta));
        if let Some(meta) = &meta {
            note(&mut marks, "meta", meta);
        }
        let tags: BTreeMap<String, String> = if flow.capture == CapturePolicy::Full {
            start.tags.iter().map(|(key, value)| capture.tag(key, value)).collect()
        } else {
            BTreeMap::new()
        };
        let reference = |id: Option<ExecutionId>| id.map_or([0; 16], |id| *id.as_uuid().as_bytes());
        let digest_of = |whole: fn(Option<&Captured>) -> &[u8]| {
            Digest::of(&[
                flow.id.as_uuid().as_bytes(),
                principal.id.as_uuid().as_bytes(),
                start.source.as_str().as_bytes(),
                // Concluded times differ at a retry.
                &digested(start.started_at),
                &reference(start.parent),
                &reference(start.replay_of),
                whole(params.as_ref()),
                whole(meta.as_ref()),
                format!("{tags:?}").as_bytes(),
            ])
        };
        let (digest, is_old_another) = (digest_of(Captured::whole_of), Captured::any_old([&params, &meta]));
        let old_digest = is_old_another.then(|| digest_of(Captured::old_whole_of));
        Ok(NewExecution {
            id,
            id_is_fresh: start.id.is_none(),
            flow_id: flow.id,
            flow_name: capture.name(&flow.name),
            flow_tool_name: flow.tool_name.as_ref().map(|name| name.as_str().to_owned()),
            flow_version: (!flow.definition.nodes.is_empty()).then_some(flow.version),
            user_id: Some(principal.id),
            source: start.source,
            instance_id,
            started_at,
            // From now on, not from a start that may lie long ago.
            deadline_at: deadline(now, timeout),
            lease: start.lease,
            recorded_at: now,
            preview: start.preview().and_then(|(name, value)| capture.preview(name, value)),
            parent_id: start.parent,
            replay_of: start.replay_of,
            capture_policy: flow.capture,
            params: params.and_then(|captured| captured.stored),
            meta: meta.and_then(|captured| captured.stored),
            tags,
            capture: marks,
            digest,
            import: None,
            is_rejected: false,
            old_digest,
        })
    }

    /// The store's sign that another process has written, if it differs from the one that was dealt with last.
    /// When nobody can tell, it always does.
    pub(crate) fn foreign_changes(&self) -> Result<Option<Option<i64>>, StoreError> {
        let now = self.store.foreign_changes()?;
        let seen = self.seen_changes.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((now.is_none() || now != *seen).then_some(now))
    }

    /// What the sign stands for was dealt with.
    pub(crate) fn saw_foreign_changes(&self, sign: Option<i64>) {
        *self.seen_changes.lock().unwrap_or_else(PoisonError::into_inner) = sign;
    }

    /// Tells those who watch.
    pub(crate) fn tell(&self, changed: Changed) {
        // There may be nobody.
        let _ = self.changes.send(changed);
    }

    /// A key or a token is good no longer: who was let in by it is looked at again.
    pub(crate) fn credentials_changed(&self) {
        self.credentials.send_modify(|number| *number += 1);
    }

    /// Reads the flows again after this process has changed one. The change is made; when it cannot be read back
    /// now, the housekeeping does it.
    pub(crate) fn renew_catalog(&self) {
        if let Err(error) = self.catalog.refresh(&*self.store) {
            log::warn!("a changed flow cannot be read back yet: {error}");
        }
    }
}

/// When an execution that began now is taken for dead. A timeout beyond all bounds is a very late one.
pub(crate) fn deadline(now: OffsetDateTime, timeout: Duration) -> OffsetDateTime {
    const LATEST: Duration = Duration::from_secs(365 * 24 * 3600);
    now + timeout.min(LATEST)
}

pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), TrackerError> {
    const MOST: usize = 32;
    if tags.len() > MOST {
        return Err(TrackerError::invalid("tags", format!("at most {MOST}, got {}", tags.len())));
    }
    for (key, value) in tags {
        Tag::check(key, value).map_err(|error| {
            let field = if error == InvalidTag::Value { format!("tags.{key}") } else { "tags".to_owned() };
            TrackerError::invalid(field, error.to_string())
        })?;
    }
    Ok(())
}
