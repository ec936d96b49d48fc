//! Workers are killed, frozen and stopped and their broker is restarted while records flow: none may be missing.

use wharf_chaos::{Settings, any_seed, run};

/// Environment key: the seed of a run that shall be repeated.
const SEED: &str = "WHARF_CHAOS_SEED";

fn seed() -> u64 {
    std::env::var(SEED).map_or_else(
        |_| any_seed(),
        |seed| {
            seed.parse()
                .unwrap_or_else(|_| panic!("{SEED}={seed} is no number"))
        },
    )
}

#[test]
fn no_record_is_lost_and_everything_runs_once_whatever_happens_to_workers_and_broker() {
    let settings = Settings::short(seed());
    let Some(outcome) = run(&settings) else { return };
    assert_eq!(outcome.verdict(&settings), Ok(()), "{outcome}");
}
