//! Dates and times as text, where the time zone of the process decides: around the changes to summer time and back, in
//! years for which the rules of [`Zone`] hold.

use wharf_api::Value;
use wharf_converters::STRING_CONVERTER;

use super::{Table, converter};
use crate::case::{Call, Usage, Zone};

pub(super) fn fill(table: &mut Table) {
    for zone in Zone::ALL {
        if zone == Zone::UTC {
            continue;
        }
        table.zone = zone;
        texts(table);
        // Java has names of its own for zones that the database only has numbers for.
        let differs = (zone.name == "Australia/Lord_Howe").then_some("zone-names");
        instants(table, differs);
    }
}

/// Hours that do not exist, exist twice, or stand beside such ones.
fn texts(table: &mut Table) {
    let days = [
        "2019-03-10",
        "2019-03-31",
        "2019-04-07",
        "2019-10-06",
        "2019-10-27",
        "2019-11-03",
        "2024-02-30",
    ];
    let times = [
        "00:30:00.000Z",
        "01:30:00.000Z",
        "01:45:00.000Z",
        "02:15:00.000Z",
        "02:30:00.000Z",
        "03:00:00.000Z",
    ];
    let mut parse = |text: String| table.same("parse", Call::Parse { text });
    for day in days {
        parse(day.to_owned());
        for time in times {
            parse(format!("{day}T{time}"));
        }
    }
}

/// Each half hour around the changes, as texts of both kinds.
fn instants(table: &mut Table, names: Option<&'static str>) {
    const HALF_HOUR: i64 = 1_800_000;
    // Midnight UTC of 2019-03-10, 03-31, 04-07, 10-06, 10-27, 11-03, and of a day in July.
    for midnight in [
        1_552_176_000_000,
        1_553_990_400_000,
        1_554_595_200_000,
        1_570_320_000_000,
        1_572_134_400_000,
        1_572_739_200_000,
        1_563_148_800_000,
    ] {
        for step in [-18, -17, -16, 1, 2, 3, 12, 13, 14] {
            let value = Value::Date(midnight + step * HALF_HOUR);
            table.same("text", Call::Text { value: value.clone() });
            if step % 6 == 0 {
                let call = Call::From {
                    converter: converter(STRING_CONVERTER, Usage::Value, &[]),
                    schema: None,
                    value,
                };
                table.add("java-text", call, names);
            }
        }
    }
}
