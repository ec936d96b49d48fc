//! From raw rows to figures: medians with their spread, ratios, and whether a target was reached.

use std::collections::BTreeMap;

use crate::rows::{About, Direction, Engine, Handling, IdleState, Pass, Row};

/// The middle of some measurements, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` when nothing was measured.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, min, max })
    }
}

/// What is read off a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Records per second.
    Rate,
    /// Processor seconds per million records.
    Cpu,
    /// Most resident memory, in bytes.
    Peak,
    /// Instructions per record.
    Instructions,
}

/// The rows of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'r>(pub(crate) &'r [Row]);

impl<'r> Run<'r> {
    pub(crate) fn about(self) -> Option<&'r About> {
        self.0.iter().find_map(|row| match row {
            Row::About(about) => Some(about),
            _ => None,
        })
    }

    /// One number per round.
    fn by_round(self, wanted: Direction, by: Engine, pass: Pass, quantity: Quantity) -> BTreeMap<u32, f64> {
        let value = |row: &Row| match row {
            Row::Transfer {
                round,
                direction,
                engine,
                pass: found,
                records,
                wall_s,
                cpu_s,
                peak_rss_bytes,
                instructions,
                ..
            } if *direction == wanted && *engine == by && *found == pass => {
                let value = match quantity {
                    Quantity::Rate => *records as f64 / wall_s,
                    Quantity::Cpu => cpu_s * 1e6 / *records as f64,
                    Quantity::Peak => *peak_rss_bytes as f64,
                    Quantity::Instructions => (*instructions)? as f64 / *records as f64,
                };
                Some((*round, value))
            }
            _ => None,
        };
        self.0.iter().filter_map(value).collect()
    }

    /// A quantity of an engine's transfers.
    pub(crate) fn transfer(
        self,
        direction: Direction,
        engine: Engine,
        pass: Pass,
        quantity: Quantity,
    ) -> Option<Spread> {
        Spread::of(self.by_round(direction, engine, pass, quantity).into_values())
    }

    /// `above` divided by `below`, round by round: both were measured within the same minute.
    pub(crate) fn ratio(
        self,
        direction: Direction,
        quantity: Quantity,
        above: Engine,
        below: Engine,
    ) -> Option<Spread> {
        let above = self.by_round(direction, above, Pass::Measured, quantity);
        let below = self.by_round(direction, below, Pass::Measured, quantity);
        Spread::of(
            above
                .into_iter()
                .filter_map(|(round, above)| Some(above / below.get(&round)?))
                // Less processor time than a tick is no time; a ratio to it says nothing.
                .filter(|ratio| ratio.is_finite()),
        )
    }

    /// Milliseconds from the start of a process to its first answer.
    pub(crate) fn first_answer(self, by: Engine) -> Option<Spread> {
        Spread::of(self.0.iter().filter_map(|row| match row {
            Row::Start {
                engine,
                first_answer_ms,
                ..
            } if *engine == by => Some(*first_answer_ms),
            _ => None,
        }))
    }

    /// Processor seconds until the first answer.
    pub(crate) fn start_cpu(self, by: Engine) -> Option<Spread> {
        Spread::of(self.0.iter().filter_map(|row| match row {
            Row::Start { engine, cpu_s, .. } if *engine == by => Some(*cpu_s),
            _ => None,
        }))
    }

    /// Resident bytes of an idle worker.
    pub(crate) fn idle(self, by: Engine, wanted: IdleState) -> Option<Spread> {
        Spread::of(self.0.iter().filter_map(|row| match row {
            Row::Idle {
                engine,
                state,
                rss_bytes,
                ..
            } if *engine == by && *state == wanted => Some(*rss_bytes as f64),
            _ => None,
        }))
    }

    /// Nanoseconds per record: through the border, without it, and their difference.
    pub(crate) fn border(self, wanted: Direction) -> Option<[Spread; 3]> {
        let costs: Vec<[f64; 3]> = self
            .0
            .iter()
            .filter_map(|row| match row {
                Row::Border {
                    direction,
                    plugin_ns,
                    static_ns,
                    ..
                } if *direction == wanted => Some([*plugin_ns, *static_ns, plugin_ns - static_ns]),
                _ => None,
            })
            .collect();
        let column = |index: usize| Spread::of(costs.iter().map(|cost| cost[index]));
        Some([column(0)?, column(1)?, column(2)?])
    }

    /// The difference as a percentage of what a record costs Wharf altogether.
    pub(crate) fn border_percent(self, direction: Direction) -> Option<Spread> {
        let [_, _, difference] = self.border(direction)?;
        // Seconds per million records are microseconds per record.
        let whole = self
            .transfer(direction, Engine::Wharf, Pass::Measured, Quantity::Cpu)?
            .median
            * 1e3;
        Spread::of([difference.min, difference.median, difference.max].map(|ns| ns * 100.0 / whole))
    }

    /// Every target of which this run measured the figure.
    pub(crate) fn targets(self) -> Vec<Target> {
        use Direction::{FileToTopic, TopicToFile};
        use Engine::{Bare, Jvm, Wharf};
        let megabytes = |spread: Option<Spread>| {
            spread.map(|Spread { median, min, max }| Spread {
                median: median / 1e6,
                min: min / 1e6,
                max: max / 1e6,
            })
        };
        let ratio = |direction, quantity, above, below| self.ratio(direction, quantity, above, below);
        let title = |direction: Direction, rest: &str| format!("{}: {rest}", direction.title());
        let mut all = Vec::new();
        let mut add = |what: String, limit: Limit, unit: &'static str, found: Option<Spread>| {
            all.extend(found.map(|found| Target {
                what,
                limit,
                unit,
                found,
            }));
        };
        let work = self.about().map_or(Handling::Text, |about| about.work);
        if work != Handling::Text {
            for direction in Direction::ALL {
                add(
                    title(
                        direction,
                        "CPU per record, of bare librdkafka's with the same bytes",
                    ),
                    Limit::AtMost(2.0),
                    "×",
                    ratio(direction, Quantity::Cpu, Wharf, Bare),
                );
                add(
                    title(direction, "rate, of the warm JVM worker's"),
                    Limit::AtLeast(3.0),
                    "×",
                    ratio(direction, Quantity::Rate, Wharf, Jvm),
                );
            }
            return all;
        }
        for direction in Direction::ALL {
            add(
                title(direction, "rate, of bare librdkafka's"),
                Limit::AtLeast(0.8),
                "×",
                ratio(direction, Quantity::Rate, Wharf, Bare),
            );
            add(
                title(direction, "CPU per record, of bare librdkafka's"),
                Limit::AtMost(1.5),
                "×",
                ratio(direction, Quantity::Cpu, Wharf, Bare),
            );
        }
        for (direction, least) in [(FileToTopic, 6.0), (TopicToFile, 2.5)] {
            add(
                title(direction, "CPU per record of the warm JVM worker, of Wharf's"),
                Limit::AtLeast(least),
                "×",
                ratio(direction, Quantity::Cpu, Jvm, Wharf),
            );
        }
        add(
            "start to first REST answer".to_owned(),
            Limit::AtMost(150.0),
            " ms",
            self.first_answer(Wharf),
        );
        for (state, name) in [
            (IdleState::NoConnector, "memory when idle, no connector"),
            (
                IdleState::FileConnectors,
                "memory when idle, with file connectors",
            ),
        ] {
            add(
                name.to_owned(),
                Limit::AtMost(30.0),
                " MB",
                megabytes(self.idle(Wharf, state)),
            );
        }
        for direction in Direction::ALL {
            let peak = self.transfer(direction, Wharf, Pass::Measured, Quantity::Peak);
            add(
                title(direction, "most memory"),
                Limit::AtMost(120.0),
                " MB",
                megabytes(peak),
            );
        }
        for direction in Direction::ALL {
            add(
                title(direction, "border, of Wharf's CPU per record"),
                Limit::AtMost(5.0),
                " %",
                self.border_percent(direction),
            );
        }
        all
    }
}

/// What a figure may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure with its target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) limit: Limit,
    pub(crate) unit: &'static str,
    pub(crate) found: Spread,
}

impl Target {
    /// Whether the median keeps to it.
    pub(crate) fn is_reached(&self) -> bool {
        match self.limit {
            Limit::AtLeast(least) => self.found.median >= least,
            Limit::AtMost(most) => self.found.median <= most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(round: u32, engine: Engine, pass: Pass, wall_s: f64, cpu_s: f64) -> Row {
        Row::Transfer {
            round,
            direction: Direction::FileToTopic,
            engine,
            pass,
            records: 1_000_000,
            wall_s,
            cpu_s,
            peak_rss_bytes: 50_000_000,
            instructions: None,
            verified: String::new(),
        }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let cases: [(&[f64], Option<f64>); 4] = [
            (&[], None),
            (&[3.0], Some(3.0)),
            (&[4.0, 1.0], Some(2.5)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
        ];
        for (values, median) in cases {
            assert_eq!(
                Spread::of(values.iter().copied()).map(|spread| spread.median),
                median
            );
        }
    }

    #[test]
    fn ratios_are_made_within_a_round_and_without_first_runs() {
        let rows = [
            transfer(1, Engine::Jvm, Pass::First, 1.0, 100.0),
            transfer(1, Engine::Jvm, Pass::Measured, 1.0, 8.0),
            transfer(1, Engine::Wharf, Pass::Measured, 1.0, 1.0),
            transfer(2, Engine::Jvm, Pass::Measured, 1.0, 16.0),
            transfer(2, Engine::Wharf, Pass::Measured, 1.0, 2.0),
            transfer(3, Engine::Wharf, Pass::Measured, 1.0, 2.0),
        ];
        let ratio = Run(&rows).ratio(Direction::FileToTopic, Quantity::Cpu, Engine::Jvm, Engine::Wharf);
        let expected = Spread {
            median: 8.0,
            min: 8.0,
            max: 8.0,
        };
        assert_eq!(ratio, Some(expected));
    }

    #[test]
    fn the_border_is_a_share_of_everything_a_record_costs() {
        let rows = [
            transfer(1, Engine::Wharf, Pass::Measured, 1.0, 1.0),
            Row::Border {
                round: 1,
                direction: Direction::FileToTopic,
                records: 1,
                plugin_ns: 90.0,
                static_ns: 50.0,
            },
        ];
        let percent = Run(&rows).border_percent(Direction::FileToTopic).unwrap();
        assert!((percent.median - 4.0).abs() < 1e-9, "{percent:?}");
    }

    #[test]
    fn a_target_is_judged_by_the_median() {
        let target = |limit, median| Target {
            what: String::new(),
            limit,
            unit: "",
            found: Spread {
                median,
                min: 0.0,
                max: 1000.0,
            },
        };
        for (limit, median, reached) in [
            (Limit::AtLeast(0.8), 0.8, true),
            (Limit::AtLeast(0.8), 0.79, false),
            (Limit::AtMost(150.0), 150.0, true),
            (Limit::AtMost(150.0), 151.0, false),
        ] {
            assert_eq!(target(limit, median).is_reached(), reached, "{limit:?} {median}");
        }
    }

    #[test]
    fn a_run_without_the_jvm_says_nothing_of_it() {
        let rows = [
            transfer(1, Engine::Bare, Pass::Measured, 1.0, 1.0),
            transfer(1, Engine::Wharf, Pass::Measured, 2.0, 1.2),
        ];
        let targets = Run(&rows).targets();
        assert!(
            targets.iter().all(|target| !target.what.contains("JVM")),
            "{targets:?}"
        );
        let reached: Vec<_> = targets.iter().map(Target::is_reached).collect();
        assert_eq!(reached, [false, true, true]);
    }
}
