//! Everything happens to workers at once; then peace, and all has to be as it should.

use wharf_cluster::protocol::ConnectProtocol;
use wharf_cluster::target_state::TargetState;
use wharf_cluster::time::Millis;

use super::REBALANCE;
use super::parts::Times;
use super::world::World;
use super::writer::Change;

const TIMES: Times = Times {
    session: 2_000,
    heartbeat: 200,
    rebalance: REBALANCE,
    request: 4_000,
    sync: 600,
    unsync: 2_000,
    stop: 200,
    stop_limit: 1_500,
    max_delay: 0,
    lag: 500,
};
/// In which all has to be well again.
const PEACE: Millis = 25_000;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn start_worker(world: &mut World) {
    let mode = match (world.seed % 5, world.workers.len()) {
        (0, _) => ConnectProtocol::Eager,
        // An eager worker that joins a group of others is left out: they learn too late that they should have stopped first,
        // as upstream's do.
        (_, number) if number % 3 == 1 => ConnectProtocol::Compatible,
        _ => ConnectProtocol::Sessioned,
    };
    world.start_worker(mode);
}

fn change(world: &mut World) -> Change {
    let name = NAMES[world.random.below_u64(NAMES.len() as u64) as usize].to_owned();
    match world.random.below_u64(12) {
        0..=4 => {
            world.versions += 1;
            let tasks = world.random.below_u64(5);
            let version = world.versions;
            Change::Put { name, tasks, version }
        }
        5 | 6 => Change::Delete(name),
        7 => Change::Target(name, TargetState::Paused),
        8 => Change::Target(name, TargetState::Stopped),
        9 => Change::Target(name, TargetState::Started),
        10 => Change::Restart(name),
        _ => Change::Level(world.random.below_u64(5)),
    }
}

fn something_happens(world: &mut World) {
    let alive = world.alive();
    let Some(number) = alive
        .get(world.random.below_u64(alive.len().max(1) as u64) as usize)
        .copied()
    else {
        return start_worker(world);
    };
    let duration = 300 + world.random.below_u64(3 * TIMES.session);
    let until = world.now + duration;
    match world.random.below_u64(26) {
        0 | 1 if alive.len() > 1 => world.crash(number),
        2 | 3 if alive.len() < 6 => start_worker(world),
        4 | 5 => world.workers[number].frozen_until = until,
        6 | 7 => world.workers[number].cut_until = until,
        8 => {
            world.broker.restart(world.now, world.now + duration / 3);
            (0..world.workers.len()).for_each(|number| world.break_connections(number, world.now));
        }
        9 if alive.len() > 1 => world.shut_down(number),
        10 | 11 => world.workers[number].blind_until = until + duration / 2,
        12 => alive
            .into_iter()
            .for_each(|number| world.workers[number].blind_until = until),
        13 | 14 => world.workers[number].busy_until = world.now + duration / 4,
        15 => world.break_connections(number, world.now),
        16 if alive.len() < 6 => {
            // A restart: the new one comes before the old one is missed.
            world.crash(number);
            start_worker(world);
        }
        _ => {
            for _ in 0..1 + world.random.below_u64(3) {
                let change = change(world);
                world.ask(number, change);
            }
        }
    }
}

/// How often it happened.
struct Played {
    lapses: usize,
    rebalances: usize,
    doubled_requests: usize,
    lost_answers: usize,
}

/// Plays one seed.
fn play(seed: u64) -> Played {
    let max_delay = if seed % 7 == 3 { 1_000 } else { 0 };
    let mut world = World::new(seed, Times { max_delay, ..TIMES });
    world.requests.is_reliable = seed.is_multiple_of(4);
    start_worker(&mut world);
    world.run(500);
    for _ in 0..1 + world.random.below_u64(3) {
        start_worker(&mut world);
    }
    for (version, name) in (0..).zip(NAMES) {
        let tasks = 1 + world.random.below_u64(4);
        world.ask(
            0,
            Change::Put {
                name: name.to_owned(),
                tasks,
                version,
            },
        );
    }
    world.versions = NAMES.len() as u64;
    world.run(2_000);
    for _ in 0..20 {
        something_happens(&mut world);
        let pause = 1 + world.random.below_u64(1_500);
        world.run(world.now + pause);
    }
    // Then peace, and one more worker, because the others may all be gone.
    world.requests.is_reliable = true;
    start_worker(&mut world);
    world.run(world.now + PEACE);
    let rebalances = world.broker.rebalances;
    if let Some(reason) = world.unrest() {
        panic!("seed {seed}: after a long peace {reason}\n{}", world.picture());
    }
    world.run(world.now + PEACE / 2);
    assert_eq!(
        world.broker.rebalances, rebalances,
        "seed {seed}: the group does not come to rest"
    );
    assert_eq!(world.everybody_was_answered(), Ok(()), "seed {seed}");
    Played {
        lapses: world.workers.iter().map(|worker| worker.lapses).sum(),
        rebalances,
        doubled_requests: world.requests.doubled,
        lost_answers: world.requests.lost,
    }
}

/// Seeds that found something: orders of the herder that crossed events of the member; work that was disowned while it still
/// ran, because the config topic could not be read; a connector that was deleted and created between two looks.
const FOUND_SOMETHING: [u64; 3] = [67, 252, 162];

/// What is played unless `CLUSTER_SIMULATION_SEEDS=FIRST..END` says otherwise.
const SEEDS: u64 = 2_000;

fn seeds() -> Vec<u64> {
    let given = std::env::var("CLUSTER_SIMULATION_SEEDS").ok();
    let given = given.as_deref().and_then(|text| text.split_once(".."));
    given
        .and_then(|(first, end)| Some((first.parse().ok()?..end.parse().ok()?).collect()))
        .unwrap_or_else(|| (0..SEEDS).chain(FOUND_SOMETHING).collect())
}

#[test]
fn whatever_happens_everything_runs_once_and_in_the_end_as_configured() {
    let seeds = seeds();
    let count = seeds.len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let played: Vec<Played> = std::thread::scope(|scope| {
        let share = |seeds: &[u64]| {
            let seeds = seeds.to_vec();
            scope.spawn(move || seeds.into_iter().map(play).collect::<Vec<_>>())
        };
        let shares: Vec<_> = seeds.chunks(count.div_ceil(threads)).map(share).collect();
        let results = shares.into_iter().map(|share| share.join());
        // A seed that fails has said so.
        results
            .flat_map(|played| played.expect("no seed fails"))
            .collect()
    });
    let sum = |part: fn(&Played) -> usize| played.iter().map(part).sum::<usize>();
    for (what, times, at_least) in [
        ("lapses", sum(|it| it.lapses), count / 2),
        ("rebalances", sum(|it| it.rebalances), 10 * count),
        ("doubled requests", sum(|it| it.doubled_requests), 3 * count),
        ("lost answers", sum(|it| it.lost_answers), count / 2),
    ] {
        assert!(times > at_least, "only {times} {what}");
    }
}
