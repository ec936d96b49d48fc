//! The thread that keeps this worker a member: the machine of [`wharf_cluster::member`], its connections and its clock.
//!
//! It is a thread of its own with a runtime of its own, so that heartbeats go out whatever the rest of the worker does.

use std::collections::{HashMap, VecDeque};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use wharf_cluster::member::{
    Coordinator, Destination, Event, GroupMember, KafkaError, MemberError, MemberSettings, Output, Request,
    RequestBody, RequestId, RequestKind, Response,
};
use wharf_cluster::protocol::Assignment;

use crate::connection::BrokerAddress;
use crate::lease::{Clock, Lease};
use crate::{Connection, ConnectionError, ConnectionSettings, messages};

/// A machine that has nothing to wait for is looked at this often all the same.
const IDLE: Duration = Duration::from_secs(3_600);

/// What the herder wants of the membership.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Order {
    EventTaken,
    SetMetadata(i64, Option<Assignment>),
    Rejoin(String),
    Prepared,
    HerderIsAlive,
    Assignments(i32, Vec<(String, Vec<u8>)>),
    Leave(String),
    Close(String),
}

/// What the herder hears.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupEvent {
    /// What the machine tells.
    Member(Event),
    /// No waiting mends this: wrong credentials, a setting that cannot be used, a broker that is too old.
    Unusable(ConnectionError),
    /// A request went out or came to its end; for metrics only.
    Exchange(Exchange),
}

/// A step of a request to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// It is on its way.
    Sent(RequestKind),
    /// It was answered, or will not be.
    Answered {
        /// Which request.
        kind: RequestKind,
        /// The time since it was sent.
        took: Duration,
        /// Whether there was an answer without an error.
        success: bool,
    },
}

/// The herder's hand on the membership. Dropping it ends the thread without a goodbye.
#[derive(Debug)]
pub struct GroupClient {
    orders: UnboundedSender<Order>,
    lease: Lease,
    thread: Option<JoinHandle<()>>,
}

impl GroupClient {
    /// Starts the thread. Nothing is joined before [`GroupClient::rejoin`]. `on_event` is called on that thread and must not
    /// block: heartbeats wait for it.
    ///
    /// # Errors
    /// When the settings contradict each other.
    ///
    /// # Panics
    /// When the system gives no thread.
    pub fn start(
        member: MemberSettings,
        connection: ConnectionSettings,
        clock: Clock,
        on_event: impl FnMut(GroupEvent) + Send + 'static,
    ) -> Result<Self, MemberError> {
        let group = member.group_id.clone();
        let machine = GroupMember::new(member, clock.now())?;
        let (orders, inbox) = unbounded_channel();
        let lease = Lease::new(clock);
        let driver = Driver {
            machine,
            group,
            clock,
            lease: lease.clone(),
            connections: Connections::new(connection),
            on_event,
            last_problem: None,
            sent: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("group-member".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(driver.run(inbox)),
                    Err(error) => tracing::error!("no membership without a runtime: {error}"),
                }
            })
            .expect("a worker that gets no thread cannot work");
        Ok(Self {
            orders,
            lease,
            thread: Some(thread),
        })
    }

    /// Until when this worker's work is its own.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    fn order(&self, order: Order) {
        // A thread that has ended told so by an event.
        let _ = self.orders.send(order);
    }

    /// The herder begins to act on an event of which [`Event::decides_ownership`] is true. To be said first of all: the orders
    /// that were given before are about what this worker owned before.
    pub fn event_taken(&self) {
        self.order(Order::EventTaken);
    }

    /// What to tell the group with the next join.
    pub fn set_metadata(&self, config_offset: i64, allocation: Option<Assignment>) {
        self.order(Order::SetMetadata(config_offset, allocation));
    }

    /// Asks for a rebalance; also the first time.
    pub fn rejoin(&self, reason: &str) {
        self.order(Order::Rejoin(reason.to_owned()));
    }

    /// Everything has stopped that the last [`Event::Prepare`] wanted to.
    pub fn prepared(&self) {
        self.order(Order::Prepared);
    }

    /// The herder lives; to be said more often than `rebalance.timeout.ms`.
    pub fn herder_is_alive(&self) {
        self.order(Order::HerderIsAlive);
    }

    /// The answer to [`Event::Elected`].
    pub fn assignments(&self, generation: i32, entries: Vec<(String, Vec<u8>)>) {
        self.order(Order::Assignments(generation, entries));
    }

    /// Leaves the group until the next [`GroupClient::rejoin`].
    pub fn leave(&self, reason: &str) {
        self.order(Order::Leave(reason.to_owned()));
    }

    /// Says goodbye and ends; waits for that, a few seconds at most.
    pub fn close(mut self, reason: &str) {
        self.order(Order::Close(reason.to_owned()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Driver<F> {
    machine: GroupMember,
    group: String,
    clock: Clock,
    lease: Lease,
    connections: Connections,
    on_event: F,
    last_problem: Option<String>,
    /// Requests that are on their way.
    sent: HashMap<RequestId, (RequestKind, Instant)>,
}

impl<F: FnMut(GroupEvent)> Driver<F> {
    async fn run(mut self, mut inbox: UnboundedReceiver<Order>) {
        loop {
            if !self.carry_out() {
                return;
            }
            let wait = self.machine.next_deadline().map_or(IDLE, |at| {
                Duration::from_millis(at.saturating_sub(self.clock.now()))
            });
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some(answer) = self.connections.next_answer() => self.answered(answer),
                () = tokio::time::sleep(wait) => self.machine.poll(self.clock.now()),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::EventTaken => self.machine.event_taken(now),
            Order::SetMetadata(offset, allocation) => self.machine.set_metadata(now, offset, allocation),
            Order::Rejoin(reason) => self.machine.request_rejoin(now, &reason),
            Order::Prepared => self.machine.prepared(now),
            Order::HerderIsAlive => self.machine.herder_is_alive(now),
            Order::Assignments(generation, entries) => {
                if let Err(error) = self.machine.assignments(now, generation, entries) {
                    tracing::error!("{error}");
                }
            }
            Order::Leave(reason) => self.machine.leave(now, &reason),
            Order::Close(reason) => self.machine.close(now, &reason),
        }
    }

    fn answered(&mut self, answer: Answer) {
        let now = self.clock.now();
        if let Some((kind, since)) = self.sent.remove(&answer.id) {
            let took = since.elapsed();
            let success = answer.outcome.as_ref().is_ok_and(is_success);
            (self.on_event)(GroupEvent::Exchange(Exchange::Answered { kind, took, success }));
        }
        match answer.outcome {
            Ok(response) => {
                self.last_problem = None;
                self.machine.handle_response(now, answer.id, response);
            }
            Err(error) => {
                if !error.is_retriable() {
                    (self.on_event)(GroupEvent::Unusable(error));
                } else {
                    let text = error.to_string();
                    // The same again and again says nothing new.
                    if self.last_problem.as_ref() != Some(&text) {
                        tracing::warn!("group {}: {text}", self.group);
                        self.last_problem = Some(text);
                    }
                }
                self.machine.request_failed(now, answer.id);
            }
        }
    }

    /// Does what the machine wants; `false` at its end.
    fn carry_out(&mut self) -> bool {
        // First of all: whoever asks now must see what is true now.
        self.lease.set(self.machine.lease());
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Send(request) => {
                    let kind = request.body.kind();
                    self.sent.insert(request.id, (kind, Instant::now()));
                    (self.on_event)(GroupEvent::Exchange(Exchange::Sent(kind)));
                    self.connections.send(&self.group, request);
                }
                Output::Disconnect => {
                    // What was under way is answered no more.
                    self.sent.clear();
                    self.connections.disconnect();
                }
                Output::Event(event) => {
                    let is_end = matches!(event, Event::Closed | Event::Fatal(_));
                    (self.on_event)(GroupEvent::Member(event));
                    if is_end {
                        self.lease.set(None);
                        return false;
                    }
                }
                other => tracing::warn!("not known what to do with {other:?}"),
            }
        }
        true
    }
}

/// Whether a response says that the request was carried out.
fn is_success(response: &Response) -> bool {
    let error = match response {
        Response::FindCoordinator(answer) => answer.error,
        Response::JoinGroup(answer) => answer.error,
        Response::SyncGroup(answer) => answer.error,
        Response::Heartbeat(answer) => answer.error,
        Response::LeaveGroup(answer) => answer.error,
        _ => return false,
    };
    error == KafkaError::None
}

/// What became of a request.
struct Answer {
    id: RequestId,
    outcome: Result<Response, ConnectionError>,
}

/// The way to the coordinator: requests go one after the other, by a task that owns the connection.
struct Link {
    coordinator: Coordinator,
    requests: UnboundedSender<Request>,
    task: AbortHandle,
}

struct Connections {
    settings: ConnectionSettings,
    /// Brokers to ask for the coordinator, the one that answered last first.
    brokers: VecDeque<BrokerAddress>,
    link: Option<Link>,
    /// A second one, for when the first is blocked by a join.
    aside: Option<Link>,
    answers: (UnboundedSender<Answer>, UnboundedReceiver<Answer>),
    /// Tasks end with this.
    tasks: JoinSet<()>,
}

impl Connections {
    fn new(settings: ConnectionSettings) -> Self {
        Self {
            brokers: settings.bootstrap.iter().cloned().collect(),
            settings,
            link: None,
            aside: None,
            answers: unbounded_channel(),
            tasks: JoinSet::new(),
        }
    }

    async fn next_answer(&mut self) -> Option<Answer> {
        // What has ended leaves nothing behind.
        while self.tasks.try_join_next().is_some() {}
        self.answers.1.recv().await
    }

    fn disconnect(&mut self) {
        for link in [self.link.take(), self.aside.take()].into_iter().flatten() {
            link.task.abort();
        }
    }

    fn send(&mut self, group: &str, request: Request) {
        match &request.to {
            Destination::AnyBroker => self.ask_any(group, request),
            Destination::Coordinator(coordinator) => {
                let coordinator = coordinator.clone();
                let link = self.link.take();
                self.link = Some(self.send_over(link, group, coordinator, request));
            }
            Destination::CoordinatorAside(coordinator) => {
                let coordinator = coordinator.clone();
                let link = self.aside.take();
                self.aside = Some(self.send_over(link, group, coordinator, request));
            }
        }
    }

    /// Sends over a link to this coordinator, the one given if it still is one.
    fn send_over(
        &mut self,
        link: Option<Link>,
        group: &str,
        coordinator: Coordinator,
        request: Request,
    ) -> Link {
        let link = match link {
            Some(link) if link.coordinator == coordinator && !link.task.is_finished() => link,
            other => {
                if let Some(other) = other {
                    other.task.abort();
                }
                self.open_link(group, coordinator)
            }
        };
        // A task that ended meanwhile gave its answer before.
        let _ = link.requests.send(request);
        link
    }

    fn open_link(&mut self, group: &str, coordinator: Coordinator) -> Link {
        let (requests, inbox) = unbounded_channel();
        let address = BrokerAddress {
            host: coordinator.host.clone(),
            port: u16::try_from(coordinator.port).unwrap_or_default(),
        };
        let of_task = LinkTask {
            settings: self.settings.clone(),
            group: group.to_owned(),
            address,
            answers: self.answers.0.clone(),
        };
        let task = self.tasks.spawn(of_task.run(inbox));
        Link {
            coordinator,
            requests,
            task,
        }
    }

    /// Asks one broker; the next attempt asks the next one.
    fn ask_any(&mut self, group: &str, request: Request) {
        let Some(address) = self.brokers.front().cloned() else {
            return;
        };
        self.brokers.rotate_left(1);
        let settings = self.settings.clone();
        let group = group.to_owned();
        let answers = self.answers.0.clone();
        self.tasks.spawn(async move {
            let outcome = async {
                let mut connection = Connection::open(&address, &settings).await?;
                messages::ask(&mut connection, &group, &request.body, timeout(&request)).await
            };
            let _ = answers.send(Answer {
                id: request.id,
                outcome: outcome.await,
            });
        });
    }
}

fn timeout(request: &Request) -> Duration {
    Duration::from_millis(request.timeout)
}

struct LinkTask {
    settings: ConnectionSettings,
    group: String,
    address: BrokerAddress,
    answers: UnboundedSender<Answer>,
}

impl LinkTask {
    async fn run(self, mut inbox: UnboundedReceiver<Request>) {
        let mut connection: Option<Connection> = None;
        while let Some(request) = inbox.recv().await {
            let outcome = self.ask(&mut connection, &request).await;
            let failed = outcome.is_err();
            let _ = self.answers.send(Answer {
                id: request.id,
                outcome,
            });
            if failed {
                // What was queued behind it fails with it: the machine forgets them together.
                return;
            }
        }
    }

    async fn ask(
        &self,
        connection: &mut Option<Connection>,
        request: &Request,
    ) -> Result<Response, ConnectionError> {
        let connection = match connection {
            Some(connection) if !connection.is_lapsing() => connection,
            slot => slot.insert(Connection::open(&self.address, &self.settings).await?),
        };
        connection.renew().await?;
        // A goodbye is worth less patience than the rest, and its answer decides nothing.
        debug_assert!(!matches!(request.body, RequestBody::FindCoordinator));
        messages::ask(connection, &self.group, &request.body, timeout(request)).await
    }
}
