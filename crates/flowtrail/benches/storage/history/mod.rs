//! A history that could be real, the same in every run but for the times: those are of the last 90 days.

mod content;
mod popularity;

use std::collections::BTreeMap;
use std::time::Duration;

use flowtrail_store::{Command, NewEnd, NewExecution, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Access, CaptureMarks, CapturePolicy, Clock, Digest, ErrorInfo, ErrorKind, ExecutionId, Flow,
    FlowDefinition, FlowId, FlowKind, NodeStatus, Payload, Role, SavedBy, Source, SystemClock, User, UserId,
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use content::reason;
pub(crate) use content::{Content, NODES, STEPS};
use popularity::Popularity;
pub(crate) use popularity::{TENTH, THOUSAND};

use crate::random::Random;

const SEED: u64 = 0x0066_6c6f_7774_7261;
const DAYS: i64 = 90;
const USERS: u64 = 50;

/// An execution that has not been written.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) content: Content,
    pub(crate) outcome: Outcome,
    pub(crate) source: Source,
    pub(crate) duration: Duration,
}

impl Sample {
    pub(crate) fn new(random: &mut Random) -> Self {
        let content = Content::new(random);
        let outcome = match random.below(1_000) {
            0..20 => {
                let (id, name, _) = STEPS[FAILING];
                Outcome::Error(ErrorInfo::new(ErrorKind::Failed, reason(random)).at_node(id, name))
            }
            20..25 => Outcome::Aborted(Some(ErrorInfo::new(ErrorKind::Cancelled, "cancelled by the client"))),
            _ => Outcome::Fulfilled,
        };
        let source = match random.below(100) {
            0..60 => Source::Mcp,
            60..80 => Source::Api,
            80..90 => Source::Embedded,
            90..95 => Source::Proxy,
            95..99 => Source::Proxy,
            _ => Source::Replay,
        };
        let seconds = random.log_normal(0.4, 1.2).min(600.0);
        Self { content, outcome, source, duration: Duration::from_secs_f64(seconds) }
    }

    /// The samples that recording goes round in.
    pub(crate) fn some(count: u64) -> Vec<Self> {
        (0..count).map(|number| Self::new(&mut Random::of(!SEED, number))).collect()
    }

    /// How a node ended, by its number from 0.
    pub(crate) fn node_status(&self, index: usize) -> NodeStatus {
        match self.outcome {
            Outcome::Fulfilled => NodeStatus::Completed,
            _ if index < FAILING => NodeStatus::Completed,
            Outcome::Error(_) if index == FAILING => NodeStatus::Error,
            Outcome::Aborted(_) if index == FAILING => NodeStatus::Aborted,
            Outcome::Error(_) | Outcome::Aborted(_) => NodeStatus::Skipped,
        }
    }

    /// How long each node takes: the same, since only their sum is counted anywhere.
    pub(crate) fn node_duration(&self) -> Duration {
        self.duration / u32::try_from(NODES).unwrap_or(1)
    }

    /// The command that records it as the execution `id`.
    pub(crate) fn record(&self, of: &NewSample<'_>) -> Command {
        let payload = |value: &Value| Some(Payload::from_value(value));
        let params = Payload::from_value(&self.content.params);
        let digest = Digest::of(&[of.id.as_uuid().as_bytes(), params.as_str().as_bytes()]);
        let ended_at = of.started_at + self.duration;
        let took = self.node_duration();
        let nodes =
            (1..).zip(STEPS).zip(&self.content.nodes).enumerate().map(|(index, ((seq, step), data))| {
                let status = self.node_status(index);
                let error = self.outcome.error().filter(|_| status == NodeStatus::Error);
                let (node_id, node_name, node_type) = step;
                NewNode {
                    seq,
                    node_id: node_id.to_owned(),
                    node_name: node_name.to_owned(),
                    node_type: node_type.to_owned(),
                    status,
                    executed_at: Some(of.started_at + took * u32::try_from(index).unwrap_or(0)),
                    duration_us: Some(micros(took)),
                    input: (status != NodeStatus::Skipped).then(|| Payload::from_value(&data.0)),
                    output: (status == NodeStatus::Completed).then(|| Payload::from_value(&data.1)),
                    error: error.map(|error| error.message.clone()),
                    error_kind: error.map(|error| error.kind),
                    parent_seq: None,
                    iteration: None,
                    attempt: 1,
                    capture: CaptureMarks::new(),
                    digest,
                    old_digest: None,
                }
            });
        let start = NewExecution {
            id: of.id,
            id_is_fresh: true,
            flow_id: of.flow.id,
            flow_name: of.flow.name.clone(),
            flow_tool_name: None,
            flow_version: None,
            user_id: Some(of.user),
            source: self.source,
            instance_id: None,
            started_at: of.started_at,
            deadline_at: of.started_at + Duration::from_secs(300),
            lease: None,
            recorded_at: ended_at,
            preview: self.content.params["orderId"].as_str().map(str::to_owned),
            parent_id: None,
            replay_of: None,
            capture_policy: CapturePolicy::Full,
            params: Some(params),
            meta: None,
            tags: BTreeMap::new(),
            capture: CaptureMarks::new(),
            digest,
            import: None,
            is_rejected: false,
            old_digest: None,
        };
        let end = NewEnd {
            told: Told::Reported,
            ended_at,
            recorded_at: ended_at,
            outcome: self.outcome.clone(),
            outputs: if self.outcome == Outcome::Fulfilled { payload(&self.content.outputs) } else { None },
            meta: None,
            due_at: None,
            running: Vec::new(),
            capture: CaptureMarks::new(),
            digest,
            old_digest: None,
        };
        Command::record(start, nodes.collect(), end)
            .expect("memory to pack it")
            .expect("its nodes are numbered")
    }
}

/// The node that fails when one does, by its number from 0.
const FAILING: usize = 3;

/// What an execution is besides its content.
#[derive(Debug)]
pub(crate) struct NewSample<'a> {
    pub(crate) id: ExecutionId,
    pub(crate) flow: &'a Flow,
    pub(crate) user: UserId,
    pub(crate) started_at: OffsetDateTime,
}

/// So many executions of the last 90 days, oldest first.
#[derive(Debug)]
pub(crate) struct History {
    executions: u64,
    begin: OffsetDateTime,
    popularity: Popularity,
    pub(crate) flows: Vec<Flow>,
    pub(crate) users: Vec<User>,
}

impl History {
    pub(crate) fn of(executions: u64) -> Self {
        let begin = SystemClock.now() - time::Duration::days(DAYS);
        let flows = (0..popularity::FLOWS).map(|number| flow(number, begin)).collect();
        let users = (0..USERS)
            .map(|number| User {
                id: user_id(number),
                name: format!("user-{number:02}"),
                role: Role::User,
                created_at: begin,
            })
            .collect();
        Self { executions, begin, popularity: Popularity::of(executions), flows, users }
    }

    /// The execution with this number: what it takes as payload JSON, and the command that records it.
    pub(crate) fn nth(&self, number: u64) -> (usize, Command) {
        let mut random = Random::of(SEED, number);
        let flow = &self.flows[self.popularity.flow(number, &mut random)];
        // Few users do most of it.
        let user = user_id(random.below(USERS).min(random.below(USERS)));
        let step = DAYS.unsigned_abs() * 86_400_000_000 / self.executions;
        let micros = number * step + random.below(step.max(1));
        let started_at = self.begin + Duration::from_micros(micros);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&random.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&random.bits().to_be_bytes()[..2]);
        let millis = started_at.unix_timestamp_nanos() / 1_000_000;
        let id =
            uuid::Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or(0), &bytes).into_uuid();
        let sample = Sample::new(&mut random);
        let of = NewSample { id: ExecutionId::from_uuid(id), flow, user, started_at };
        (sample.content.size(), sample.record(&of))
    }
}

/// The id of a flow, by its number.
pub(crate) fn flow_id(number: usize) -> FlowId {
    FlowId::from_uuid(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + number as u128))
}

/// The id of a user, by their number.
pub(crate) fn user_id(number: u64) -> UserId {
    UserId::from_uuid(Uuid::from_u128(0x0198_0000_0001_7000_8000_0000_0000_0000 + u128::from(number)))
}

fn flow(number: usize, at: OffsetDateTime) -> Flow {
    Flow {
        id: flow_id(number),
        kind: FlowKind::External,
        name: format!("Flow {number:04}"),
        tool_name: None,
        description: String::new(),
        active: true,
        version: 1,
        definition: FlowDefinition::default(),
        timeout: None,
        access: Access::default(),
        capture: CapturePolicy::Full,
        retention: None,
        owner_id: user_id(0),
        saved_by: SavedBy::id_only(user_id(0)),
        created_at: at,
        updated_at: at,
        deleted_at: None,
    }
}

/// A duration as the store has it.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
