//! How fast a group heals and how often it rebalances, with the times that workers have by default.

use wharf_cluster::protocol::ConnectProtocol::{Compatible, Eager, Sessioned};
use wharf_cluster::time::Millis;

use super::parts::Times;
use super::world::World;
use super::writer::Change;

const TIMES: Times = Times {
    session: 10_000,
    heartbeat: 500,
    rebalance: 60_000,
    request: 40_000,
    sync: 3_000,
    unsync: 60_000,
    stop: 200,
    stop_limit: 300,
    max_delay: 0,
    lag: 50,
};

fn put(number: u64, tasks: u64) -> Change {
    Change::Put {
        name: format!("c{number}"),
        tasks,
        version: number,
    }
}

/// Three workers, and twelve connectors of two tasks.
fn group(seed: u64) -> World {
    let mut world = World::new(seed, TIMES);
    for mode in [Sessioned, Compatible, Sessioned] {
        world.start_worker(mode);
    }
    world.run(8_000);
    for number in 0..12 {
        world.ask(0, put(number, 2));
    }
    world.run(world.now + 100);
    world.time_to_rest(10_000);
    // Whatever moment of heartbeats and pacing it is.
    let pause = 5_000 + world.random.below_u64(3_000);
    world.run(world.now + pause);
    world
}

fn leader(world: &World) -> usize {
    let mut workers = world.workers.iter();
    let leader = workers.find(|worker| worker.alive && worker.machine.is_leader());
    leader
        .map(|worker| worker.number)
        .expect("a group at rest has a leader")
}

/// How long until this worker has gone and all runs elsewhere.
fn time_to_leave(world: &mut World, number: usize) -> Millis {
    let begin = world.now;
    world.shut_down(number);
    while world.workers[number].alive {
        assert!(world.now < begin + 10_000, "seed {}: does not leave", world.seed);
        world.run(world.now + 10);
    }
    world.time_to_rest(10_000);
    world.now - begin
}

#[test]
fn a_hundred_connectors_in_a_row_are_at_most_ten_rebalances() {
    for (seed, pause) in [(0, 5), (1, 20), (2, 50), (3, 120)] {
        let mut world = group(seed);
        let before = world.broker.rebalances;
        for number in 0..100 {
            world.ask(number as usize % 3, put(100 + number, 1));
            world.run(world.now + pause);
        }
        world.time_to_rest(20_000);
        world.run(world.now + 10_000);
        let rebalances = world.broker.rebalances - before;
        assert!((1..=10).contains(&rebalances), "seed {seed}: {rebalances}");
        assert_eq!(world.unrest(), None);
    }
}

#[test]
fn the_work_of_a_crashed_worker_runs_again_within_two_seconds_of_its_session() {
    for seed in 0..6 {
        let mut world = group(seed);
        let number = if seed % 2 == 0 {
            leader(&world)
        } else {
            world.random.below_u64(3) as usize
        };
        world.crash(number);
        let took = world.time_to_rest(30_000);
        assert!(took <= TIMES.session + 2_000, "seed {seed}: {took}");
    }
}

#[test]
fn a_worker_that_leaves_as_planned_has_its_work_run_again_within_two_seconds() {
    for seed in 0..6 {
        let mut world = group(seed);
        let number = if seed % 2 == 0 {
            leader(&world)
        } else {
            world.random.below_u64(3) as usize
        };
        let took = time_to_leave(&mut world, number);
        assert!(took <= 2_000, "seed {seed}: {took}");
    }
}

#[test]
fn records_that_keep_coming_do_not_keep_new_work_from_starting() {
    for seed in 0..2 {
        let mut world = group(seed);
        let before = world.broker.rebalances;
        world.ask(0, put(50, 3));
        world.start_worker(Sessioned);
        for number in 0..60 {
            world.ask(0, Change::Level(number));
            world.run(world.now + 100);
        }
        assert_eq!(world.unrest(), None, "seed {seed}");
        let rebalances = world.broker.rebalances - before;
        assert!(rebalances <= 12, "seed {seed}: {rebalances}");
    }
}

#[test]
fn a_leader_that_cannot_read_the_config_topic_neither_stirs_the_group_up_nor_holds_it_back_for_long() {
    for seed in 0..2 {
        let mut world = group(seed);
        let (before, blind) = (world.broker.rebalances, leader(&world));
        world.workers[blind].blind_until = world.now + 40_000;
        // It cannot write either: its writes end with a read. So what others read comes from nowhere else than a target state.
        let other = (blind + 1) % 3;
        world.ask(other, Change::Level(1));
        world.run(world.now + 200);
        world.start_worker(Sessioned);
        world.run(world.now + 20_000);
        assert_eq!(world.unrest(), None, "seed {seed}: the others do not do its work");
        world.run(world.now + 90_000);
        assert_eq!(world.unrest(), None, "seed {seed}");
        let rebalances = world.broker.rebalances - before;
        assert!(rebalances <= 20, "seed {seed}: {rebalances}");
        assert!(
            world.workers[blind].machine.allocation().is_some(),
            "seed {seed}: does not come back"
        );
    }
}

#[test]
fn a_group_whose_last_eager_worker_leaves_becomes_cooperative() {
    for seed in 0..2 {
        let mut world = World::new(seed, TIMES);
        for mode in [Eager, Sessioned, Compatible] {
            world.start_worker(mode);
            world.run(world.now + 2_000);
        }
        (0..5).for_each(|number| world.ask(1, put(number, 2)));
        world.run(world.now + 100);
        world.time_to_rest(10_000);
        assert_eq!(world.workers[1].member.current_protocol(), Eager);
        time_to_leave(&mut world, 0);
        assert_eq!(world.workers[1].member.current_protocol(), Compatible);
    }
}
