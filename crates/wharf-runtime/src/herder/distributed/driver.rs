//! The herder's thread: events in, commands carried out, what everybody may know published.
//!
//! It never waits for a plugin, the network or a topic: what takes time runs elsewhere and comes back as an event.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use wharf_cluster::assignor::{Assignor, ConfiguredWork, Round};
use wharf_cluster::config_state::{ConfigEvent, ConfigSnapshot};
use wharf_cluster::herder::{
    Command, ConfigNote, Event, HerderMachine, HerderSettings, ToldViews, WorkId, WorkSet,
};
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::member::{self, Elected};
use wharf_cluster::protocol::{Assignment, worker_id};
use wharf_cluster::restart::RestartRequest;
use wharf_cluster::status_state::{Stranger, Strangers};
use wharf_cluster::time::Millis;
use wharf_membership::{Clock, GroupClient, GroupEvent};

use super::Inner;
use super::placement::Abilities;
use super::view::{ClusterView, Owners};
use crate::config::{DistributedConfig, InternalTopic};

/// The herder shows that it lives at least this often.
const ALIVE: Duration = Duration::from_millis(500);

/// A status is said again at most this often in one generation.
const MOST_REPEATS: u32 = 5;

/// What reaches the thread.
pub(super) enum DriverEvent {
    Group(GroupEvent),
    Config(Vec<ConfigEvent>, ConfigSnapshot),
    /// The read to the end that was asked for.
    Read(Result<(), String>),
    Stopped(WorkId),
    Restart(WorkSet),
    /// What this worker said last of this is replaced by what another one says.
    Overwritten(WorkId),
    /// Another worker, with this id, says with this generation that it runs something.
    Running(String, i32),
    /// Somebody wants to know whether the thread lives.
    Ping(tokio::sync::oneshot::Sender<()>),
    ShutDown,
}

/// Why the thread ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was told to.
    Orderly,
    /// The membership is lost for good.
    Fatal(String),
}

pub(super) struct Driver {
    pub(super) herder: Weak<Inner>,
    pub(super) client: Option<GroupClient>,
    pub(super) clock: Clock,
    pub(super) assignor: Assignor,
    pub(super) events: Receiver<DriverEvent>,
    pub(super) machine: HerderMachine<ConfigSnapshot>,
    told: ToldViews<ConfigSnapshot>,
    owners: Owners,
    generation: i32,
    protocol: Option<wharf_cluster::protocol::ConnectProtocol>,
    leader_url: Option<String>,
    fatal: Option<String>,
    pending_restarts: BTreeMap<String, RestartRequest>,
    /// How often each status was said again in this generation.
    repeated: BTreeMap<WorkId, u32>,
    strangers: Strangers,
}

impl Driver {
    pub(super) fn new(
        herder: Weak<Inner>,
        settings: HerderSettings,
        max_delay: i32,
        session_timeout: Millis,
        clock: Clock,
        events: Receiver<DriverEvent>,
    ) -> Self {
        Self {
            herder,
            client: None,
            clock,
            assignor: Assignor::new(max_delay),
            events,
            machine: HerderMachine::new(settings),
            told: ToldViews::default(),
            owners: Owners::default(),
            generation: -1,
            protocol: None,
            leader_url: None,
            fatal: None,
            pending_restarts: BTreeMap::new(),
            repeated: BTreeMap::new(),
            strangers: Strangers::new(session_timeout),
        }
    }

    /// Runs until the end; `snapshot` is what the config topic held when it was read first.
    pub(super) fn run(mut self, snapshot: ConfigSnapshot) -> Ended {
        self.machine_event(Event::Config {
            view: snapshot,
            notes: Vec::new(),
        });
        self.publish();
        loop {
            let wait = self
                .machine
                .next_deadline()
                .map_or(ALIVE, |at| {
                    Duration::from_millis(at.saturating_sub(self.clock.now()))
                })
                .min(ALIVE);
            match self.events.recv_timeout(wait) {
                Ok(event) => self.event(event),
                Err(RecvTimeoutError::Timeout) => {
                    self.machine_event(Event::Tick);
                    self.look_for_strangers();
                }
                Err(RecvTimeoutError::Disconnected) => return Ended::Orderly,
            }
            if let Some(client) = &self.client {
                client.herder_is_alive();
            }
            if let Some(reason) = self.fatal.take() {
                return Ended::Fatal(reason);
            }
            if self.client.is_none() {
                return Ended::Orderly;
            }
            self.restart_what_was_asked_for();
            self.publish();
        }
    }

    fn event(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::Group(GroupEvent::Member(event)) => self.member_event(event),
            DriverEvent::Group(GroupEvent::Unusable(error)) => self.fatal = Some(error.to_string()),
            DriverEvent::Group(other) => tracing::warn!("not known what to do with {other:?}"),
            DriverEvent::Config(events, snapshot) => self.config_events(events, snapshot),
            DriverEvent::Read(Ok(())) => self.machine_event(Event::ReadToEnd),
            DriverEvent::Read(Err(reason)) => {
                tracing::warn!("the config topic cannot be read: {reason}");
                self.machine_event(Event::ReadFailed);
            }
            DriverEvent::Stopped(id) => self.machine_event(Event::Stopped(id)),
            DriverEvent::Restart(ids) => self.machine_event(Event::Restart(ids)),
            DriverEvent::Overwritten(id) => self.repeat_status(&id),
            DriverEvent::Running(worker_id, generation) => {
                let stranger = self.strangers.runs(self.clock.now(), &worker_id, generation);
                self.tell_of(stranger);
            }
            DriverEvent::Ping(answer) => {
                // The one who asked may have given up.
                let _ = answer.send(());
            }
            DriverEvent::ShutDown => self.machine_event(Event::ShutDown),
        }
    }

    /// Another worker spoke of what runs here, as one does that stood still and does not know yet what it lost: the last word is
    /// this worker's. Two that believe the same of themselves must not quarrel for ever.
    fn repeat_status(&mut self, id: &WorkId) {
        let Some(herder) = self.herder.upgrade() else {
            return;
        };
        if !self.machine.is_running(id) || !herder.worker.is_leased() {
            return;
        }
        let times = self.repeated.entry(id.clone()).or_default();
        if *times < MOST_REPEATS {
            *times += 1;
            herder.repeat_status(id);
        }
    }

    /// Whether one that wrote to the status topic is in no generation of this group. Nothing is under way just now.
    fn look_for_strangers(&mut self) {
        let is_sure = self.machine.is_leader() && self.machine.is_stable();
        if is_sure
            && self
                .herder
                .upgrade()
                .is_some_and(|herder| herder.worker.is_leased())
        {
            let stranger = self.strangers.confirmed(self.clock.now());
            self.tell_of(stranger);
        }
    }

    fn tell_of(&self, stranger: Option<Stranger>) {
        if let (Some(stranger), Some(herder)) = (stranger, self.herder.upgrade()) {
            herder.tell_of_stranger(&stranger);
        }
    }

    fn config_events(&mut self, events: Vec<ConfigEvent>, snapshot: ConfigSnapshot) {
        let mut notes = Vec::new();
        for event in events {
            match event {
                ConfigEvent::ConnectorConfigUpdated(name) => notes.push(ConfigNote::Connector(name)),
                ConfigEvent::ConnectorConfigRemoved(name) => notes.push(ConfigNote::Removed(name)),
                ConfigEvent::TaskConfigsUpdated { connector, .. } => {
                    if let Some(herder) = self.herder.upgrade() {
                        herder.check_task_configs(&connector, &snapshot);
                    }
                    notes.push(ConfigNote::Tasks(connector));
                }
                ConfigEvent::TargetStateChanged(name) => notes.push(ConfigNote::Target(name)),
                ConfigEvent::SessionKeyUpdated(key) => {
                    if self.machine.is_leader()
                        && self.machine.is_stable()
                        && let Some(herder) = self.herder.upgrade()
                    {
                        herder.check_session_key(&key);
                    }
                }
                ConfigEvent::RestartRequested(request) => {
                    let mut waiting = self.pending_restarts.remove(&request.connector);
                    let name = request.connector.clone();
                    request.replace_if_greater(&mut waiting);
                    self.pending_restarts
                        .extend(waiting.map(|waiting| (name, waiting)));
                }
                ConfigEvent::LoggingLevelUpdated { namespace, level } => {
                    if let Ok(level) = level.parse() {
                        crate::logging::levels().set(&namespace, level);
                    }
                }
                _ => {}
            }
        }
        self.machine_event(Event::Config {
            view: snapshot,
            notes,
        });
    }

    fn member_event(&mut self, event: member::Event) {
        if event.decides_ownership()
            && let Some(client) = &self.client
        {
            client.event_taken();
        }
        match event {
            member::Event::Prepare { revoke_all } => {
                if revoke_all {
                    self.machine_event(Event::GiveUpAll);
                }
            }
            member::Event::Elected(elected) => self.assign(&elected),
            member::Event::Joined(joined) => self.joined(joined),
            member::Event::AssignmentUnreadable(error) => {
                tracing::error!("the assignment of this worker cannot be read: {error}");
            }
            member::Event::CoordinatorLost => {
                tracing::warn!(
                    "the coordinator of the group is not to be found; work goes on while the lease holds"
                );
            }
            member::Event::LeaseLapsed { reason } => {
                tracing::error!("this worker gives up all its work: {reason}");
                self.strangers.leads_no_longer();
                self.machine_event(Event::LeaseLapsed);
            }
            member::Event::LeaveRefused(error) => {
                tracing::warn!("the coordinator refused the goodbye of this worker: {error}");
            }
            member::Event::Closed => self.client = None,
            member::Event::Fatal(error) => self.fatal = Some(error.to_string()),
            other => tracing::warn!("not known what to do with {other:?}"),
        }
    }

    /// This worker leads: says who runs what.
    fn assign(&mut self, elected: &Elected) {
        let Some(herder) = self.herder.upgrade() else {
            return;
        };
        let snapshot = herder.configs.snapshot();
        let fresh = ConfiguredWork::of(&snapshot);
        let abilities = Abilities::of(&elected.members, &snapshot);
        let joined_with = self.told.joined_with(elected);
        let round = Round {
            now: self.clock.now(),
            protocol: elected.protocol,
            leader: &elected.member_id,
            generation: elected.generation,
            last_completed_generation: elected.last_completed_generation,
            members: &elected.members,
            joined_with: &joined_with,
            fresh: &fresh,
            can_run: Some(&|member, connector| abilities.can_run(member, connector)),
        };
        match self.assignor.assign(&round) {
            Ok(assignment) => {
                for (member, error) in &assignment.unreadable {
                    tracing::error!(
                        "the metadata of member {member} cannot be read, so it gets no work: {error}"
                    );
                }
                if elected.generation == FIRST_GENERATION {
                    tell_what_is_taken_up(&herder.settings, &snapshot);
                }
                let members = assignment.urls.iter().map(|(_, url)| signature_of(url));
                self.strangers.led(elected.generation, members);
                self.owners = Owners::of(&assignment);
                if let Some(client) = &self.client {
                    client.assignments(elected.generation, assignment.entries);
                }
            }
            Err(error) => tracing::error!("no assignment can be made: {error}"),
        }
    }

    fn joined(&mut self, joined: member::Joined) {
        let assignment = &joined.assignment;
        tracing::info!(
            "joined generation {} as {} ({}), {} connectors and tasks assigned, {} revoked",
            joined.generation,
            if joined.is_leader { "leader" } else { "member" },
            joined.protocol,
            assignment.assigned.len(),
            assignment.revoked.len()
        );
        self.generation = joined.generation;
        self.repeated.clear();
        self.protocol = Some(joined.protocol);
        self.leader_url = Some(assignment.leader_url.clone());
        if !joined.is_leader {
            self.owners = Owners::default();
            self.strangers.leads_no_longer();
            if let Some(herder) = self.herder.upgrade() {
                herder.release_claim();
            }
        }
        self.told.joined();
        if let Some(herder) = self.herder.upgrade() {
            herder.rebalances.assigned();
            herder.set_generation(joined.generation);
        }
        self.machine_event(Event::Joined(joined.into()));
    }

    fn machine_event(&mut self, event: Event<ConfigSnapshot>) {
        let is_lapse = matches!(event, Event::LeaseLapsed);
        let mut stops = Vec::new();
        let commands = self.machine.handle(self.clock.now(), event);
        if !commands.is_empty() {
            // What is about to be started asks at once whether it belongs here.
            self.publish();
        }
        for command in commands {
            match command {
                Command::Stop(id) => stops.push(id),
                other => self.carry_out(other),
            }
        }
        if !stops.is_empty()
            && let Some(herder) = self.herder.upgrade()
        {
            if is_lapse {
                herder.report_lapsed(&stops);
            }
            herder.stop(stops);
        }
    }

    fn carry_out(&mut self, command: Command) {
        let Some(herder) = self.herder.upgrade() else {
            return;
        };
        let Some(client) = &self.client else { return };
        match command {
            Command::Start(id) => {
                if let Some(snapshot) = self.machine.view() {
                    herder.start(&id, snapshot);
                }
            }
            Command::Stop(id) => herder.stop(vec![id]),
            Command::ApplyTarget(name) => {
                if let Some(snapshot) = self.machine.view() {
                    herder.apply_target(&name, snapshot);
                }
            }
            Command::ReadToEnd => herder.read_to_end(),
            Command::SetMetadata {
                config_offset,
                allocation,
            } => {
                if let Some(snapshot) = self.machine.view() {
                    self.told.tell(config_offset, snapshot.clone());
                }
                client.set_metadata(config_offset, allocation.map(Assignment::from));
            }
            Command::Rejoin { reason } => {
                tracing::debug!("rejoining the group: {reason}");
                client.rejoin(&reason);
            }
            Command::JoinPrepared => client.prepared(),
            Command::Leave { reason } => {
                tracing::warn!("leaving the group: {reason}");
                client.leave(&reason);
            }
            Command::RevocationDone => {
                herder.revocation_done();
                client.prepared();
            }
            Command::Lead => herder.lead(self.machine.view().cloned().unwrap_or_default()),
            Command::End => {
                if let Some(client) = self.client.take() {
                    client.close("the worker is shutting down");
                }
            }
        }
    }

    /// Carries out, for what runs here, what was asked for through the config topic.
    fn restart_what_was_asked_for(&mut self) {
        if self.pending_restarts.is_empty() || !self.machine.is_stable() {
            return;
        }
        let Some(herder) = self.herder.upgrade() else {
            return;
        };
        for (_, request) in std::mem::take(&mut self.pending_restarts) {
            let runs_connector = self
                .machine
                .is_running(&WorkId::Connector(request.connector.clone()));
            let part = herder.restart_part(request.clone(), runs_connector, |task: &ConnectorTaskId| {
                self.machine.is_running(&WorkId::Task(task.clone()))
            });
            let Some(part) = part else { continue };
            let connector = part
                .connector
                .then(|| WorkId::Connector(request.connector.clone()));
            let ids: WorkSet = connector
                .into_iter()
                .chain(part.tasks.into_iter().map(WorkId::Task))
                .collect();
            if ids.is_empty() {
                continue;
            }
            herder.report_restarting(&ids);
            self.machine_event(Event::Restart(ids));
        }
    }

    /// Lets requests see what is decided.
    fn publish(&self) {
        let Some(herder) = self.herder.upgrade() else {
            return;
        };
        let allocation = self.machine.allocation();
        if self.machine.is_stable() {
            herder.rebalances.resolved();
        }
        herder.view.send_replace(Arc::new(ClusterView {
            leader: self.machine.admit(wharf_cluster::herder::RequestKind::Leader),
            member: self.machine.admit(wharf_cluster::herder::RequestKind::Member),
            is_stable: self.machine.is_stable(),
            is_leader: self.machine.is_leader(),
            generation: self.generation,
            protocol: self.protocol,
            leader_url: self.leader_url.clone(),
            owners: self.owners.clone(),
            owned: allocation.map(|it| it.work.clone()).unwrap_or_default(),
        }));
    }
}

/// The number of a group's first generation, also after nobody was in it for a while.
const FIRST_GENERATION: i32 = 1;

/// How the worker of this URL signs its statuses; empty when that is not certain.
fn signature_of(url: &str) -> &str {
    let id = worker_id(url);
    let has_port = id
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if has_port { id } else { "" }
}

/// Says which connectors a group takes up that has just come about. Nothing in the topics names the group that wrote them, so they
/// may be those of another cluster.
fn tell_what_is_taken_up(settings: &DistributedConfig, snapshot: &ConfigSnapshot) {
    let names: Vec<&str> = snapshot.connectors().collect();
    if names.is_empty() {
        return;
    }
    tracing::info!(
        "group {} is new, or nobody was in it for a while, and takes up the {} connectors of topic {}: {}; if they are another \
         group's, stop this worker and give it config, offset and status topics of its own",
        settings.group_id,
        names.len(),
        settings.topic(InternalTopic::Config).topic.name,
        names.join(", ")
    );
}
