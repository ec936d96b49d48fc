//! The broker, ended and started by a thread of its own, so that workers can be hit while it is away.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use wharf_test_services::KafkaBroker;

#[derive(Debug)]
enum Order {
    Stop,
    Kill,
    Start,
    /// Answered when all before it is done.
    Wait(Sender<()>),
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
