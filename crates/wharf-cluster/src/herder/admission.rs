//! Where a request is carried out: here, on another worker, or not yet.

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// The one worker that may write connectors and tasks.
    Leader,
    /// Any member: pause and resume.
    Member,
}

/// Where it is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// On this worker, now.
    Here,
    /// On the worker whose REST API has this URL.
    Forward(String),
    /// Nobody knows before the rebalance is over: ask again after the next event.
    Wait,
    /// Nowhere: the worker is ending.
    Refuse,
}
