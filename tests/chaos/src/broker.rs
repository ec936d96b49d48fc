//! The broker, ended and started by a thread of its own, so that workers can be hit while it is away.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use wharf_test_services::{KafkaBroker, ServiceError};

const TRANSACTIONS: &str = "org.apache.kafka.tools.TransactionsCommand";

#[derive(Debug)]
enum Order {
    Stop,
    Kill,
    Start,
    /// Answered when all before it is done.
    Wait(Sender<()>),
    /// Answered with the transactions that are open in a partition and unknown to their coordinator.
    Hanging(Sender<Vec<String>>),
}

/// The hand on the broker. The broker goes with it.
#[derive(Debug)]
pub(crate) struct Broker {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    pub(crate) fn new(mut kafka: KafkaBroker) -> Self {
        let (orders, inbox) = channel();
        let thread = std::thread::spawn(move || {
            for order in inbox {
                let outcome = match order {
                    Order::Stop => kafka.stop(),
                    Order::Kill => kafka.kill(),
                    Order::Start => kafka.restart(),
                    Order::Wait(done) => {
                        // The one who asked waits for it.
                        let _ = done.send(());
                        Ok(())
                    }
                    Order::Hanging(answer) => hanging(&kafka).map(|found| {
                        // The one who asked waits for it.
                        let _ = answer.send(found);
                    }),
                };
                outcome.unwrap_or_else(|error| panic!("{error}"));
            }
        });
        Self {
            orders: Some(orders),
            thread: Some(thread),
        }
    }

    fn order(&self, order: Order) {
        let sent = self
            .orders
            .as_ref()
            .is_some_and(|orders| orders.send(order).is_ok());
        assert!(sent, "the broker is gone, see above");
    }

    pub(crate) fn stop(&self) {
        self.order(Order::Stop);
    }

    pub(crate) fn kill(&self) {
        self.order(Order::Kill);
    }

    pub(crate) fn start(&self) {
        self.order(Order::Start);
    }

    /// Transactions that the broker calls ended, and that are open in a partition all the same.
    pub(crate) fn hanging(&self) -> Vec<String> {
        let (answer, found) = channel();
        self.order(Order::Hanging(answer));
        found.recv().expect("the broker is gone, see above")
    }

    /// Waits until everything ordered is done: the broker answers, if it was started last.
    pub(crate) fn wait(&self) {
        let (done, waits) = channel();
        self.order(Order::Wait(done));
        assert!(waits.recv().is_ok(), "the broker is gone, see above");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic of its own was told when it happened.
            let _ = thread.join();
        }
    }
}

/// By Kafka's own tool, one line for each. Those that go on are told apart by a second look.
fn hanging(kafka: &KafkaBroker) -> Result<Vec<String>, ServiceError> {
    let mut found = find_hanging(kafka)?;
    if !found.is_empty() {
        let still = find_hanging(kafka)?;
        found.retain(|one| still.contains(one));
    }
    Ok(found)
}

/// Topic, partition and first offset of each.
fn find_hanging(kafka: &KafkaBroker) -> Result<Vec<String>, ServiceError> {
    let find = [
        "find-hanging",
        "--broker-id",
        "1",
        "--max-transaction-timeout",
        "0",
    ];
    let said = kafka.tool(TRANSACTIONS, &find)?;
    let mut rows = said
        .lines()
        .map(|line| line.split('\t').map(str::trim).collect::<Vec<_>>());
    let Some(head) = rows.find(|row| row.contains(&"StartOffset")) else {
        return Ok(Vec::new());
    };
    let place = |name: &str| head.iter().position(|cell| *cell == name);
    let places = ["Topic", "Partition", "StartOffset"].map(place);
    let cell = |row: &[&str], place: Option<usize>| {
        place
            .and_then(|at| row.get(at))
            .copied()
            .unwrap_or("?")
            .to_owned()
    };
    Ok(rows
        .map(|row| places.map(|place| cell(&row, place)).join(" "))
        .collect())
}
