//! The same with sources that write exactly once: nothing lost, nothing doubled. A program of its own, so that the two runs do
//! not share the machine.

use wharf_chaos::{Settings, any_seed, run};

#[test]
fn no_record_is_lost_or_doubled_when_sources_write_exactly_once() {
    let seed = std::env::var("WHARF_CHAOS_SEED").map_or_else(|_| any_seed(), |seed| seed.parse().unwrap());
    let settings = Settings::short(seed).exactly_once();
    let Some(outcome) = run(&settings) else { return };
    assert_eq!(outcome.verdict(&settings), Ok(()), "{outcome}");
}
