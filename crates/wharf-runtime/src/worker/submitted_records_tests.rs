//! What may be stored when, and that what is done with is forgotten.

use super::*;

fn committable(records: &mut SubmittedRecords) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut taken: Vec<_> = records
        .take_committable()
        .into_iter()
        .map(|taken| {
            (
                text(&taken.key),
                taken.offset.map_or("null".into(), |offset| text(&offset)),
            )
        })
        .collect();
    taken.sort();
    taken
}

fn pair(key: &str, offset: &str) -> (String, String) {
    (key.into(), offset.into())
}

#[test]
fn an_offset_is_not_committable_before_all_earlier_records_are_acknowledged() {
    let mut records = SubmittedRecords::default();
    let a = records.partition(b"a");
    let tokens: Vec<Token> = [b"1", b"2", b"3"]
        .iter()
        .map(|offset| records.submit(a, Some(*offset)))
        .collect();
    records.ack(tokens[2]);
    records.ack(tokens[1]);
    assert_eq!(committable(&mut records), []);
    records.ack(tokens[0]);
    assert_eq!(committable(&mut records), [pair("a", "3")]);
    assert_eq!(committable(&mut records), [], "an offset is taken once");
    assert_eq!(records.in_flight(), 0);
}

#[test]
fn partitions_do_not_wait_for_each_other() {
    let mut records = SubmittedRecords::default();
    let (a, b) = (records.partition(b"a"), records.partition(b"b"));
    let first = records.submit(a, Some(b"1"));
    let second = records.submit(b, Some(b"7"));
    let third = records.submit(a, Some(b"2"));
    records.ack(second);
    records.ack(third);
    assert_eq!(committable(&mut records), [pair("b", "7")]);
    records.ack(first);
    assert_eq!(
        records.partition(b"a"),
        a,
        "a partition keeps its number while it is known"
    );
    assert_eq!(committable(&mut records), [pair("a", "2")]);
}

#[test]
fn a_withdrawn_record_holds_nothing_back() {
    let mut records = SubmittedRecords::default();
    let a = records.partition(b"a");
    let first = records.submit(a, Some(b"1"));
    let refused = records.submit(a, Some(b"2"));
    records.withdraw(refused);
    records.ack(first);
    records.ack(refused);
    assert_eq!(committable(&mut records), [pair("a", "1")]);
    assert_eq!(records.in_flight(), 0);
}

#[test]
fn a_null_offset_is_committable_and_large_offsets_are_kept_whole() {
    let mut records = SubmittedRecords::default();
    let a = records.partition(b"a");
    let large = "x".repeat(1000);
    let first = records.submit(a, Some(large.as_bytes()));
    records.ack(first);
    assert_eq!(committable(&mut records), [pair("a", &large)]);
    let a = records.partition(b"a");
    let second = records.submit(a, None);
    records.ack(second);
    records.ack(second);
    assert_eq!(committable(&mut records), [pair("a", "null")]);
}

#[test]
fn a_partition_is_forgotten_when_its_offset_was_taken_and_nothing_is_in_flight() {
    let mut records = SubmittedRecords::default();
    let (a, b) = (records.partition(b"a"), records.partition(b"b"));
    let first = records.submit(a, Some(b"1"));
    let second = records.submit(a, Some(b"2"));
    let other = records.submit(b, Some(b"1"));
    records.ack(first);
    records.ack(other);
    assert_eq!(committable(&mut records), [pair("a", "1"), pair("b", "1")]);
    assert_eq!(records.ids.len(), 1, "a still has a record in flight");
    assert_eq!(records.partition(b"a"), a);

    let c = records.partition(b"c");
    assert_eq!(c, b, "the number is given out again");
    let new = records.submit(c, Some(b"7"));
    records.ack(other);
    assert_eq!(
        records.in_flight(),
        2,
        "an acknowledgement of the forgotten one is nobody's"
    );
    records.ack(second);
    records.ack(new);
    assert_eq!(committable(&mut records), [pair("a", "2"), pair("c", "7")]);
    assert!(records.ids.is_empty() && records.free.len() == 2);

    let again = records.partition(b"a");
    let third = records.submit(again, Some(b"3"));
    records.ack(third);
    assert_eq!(committable(&mut records), [pair("a", "3")]);
}

#[test]
fn partitions_whose_records_never_left_are_forgotten_too() {
    let mut records = SubmittedRecords::default();
    records.partition(b"asked for only");
    let refused = records.partition(b"refused");
    assert_eq!(committable(&mut records), []);
    assert!(records.ids.is_empty());
    let refused_again = records.partition(b"refused");
    let token = records.submit(refused_again, Some(b"1"));
    assert_eq!(committable(&mut records), []);
    assert_eq!(records.ids.len(), 1);
    records.withdraw(token);
    assert_eq!(committable(&mut records), []);
    assert!(records.ids.is_empty(), "{refused:?}");
}

#[test]
fn a_million_partitions_need_no_more_memory_than_what_is_in_flight_and_not_taken() {
    const PARTITIONS: u32 = 1_000_000;
    const IN_FLIGHT: usize = 500;
    const BETWEEN_COMMITS: u32 = 10_000;
    let mut records = SubmittedRecords::default();
    let mut on_the_way = VecDeque::new();
    let mut stored = 0;
    for number in 0..PARTITIONS {
        let id = records.partition(&number.to_be_bytes());
        on_the_way.push_back(records.submit(id, Some(&number.to_be_bytes())));
        if on_the_way.len() > IN_FLIGHT {
            // Not in order: every other one overtakes its elder.
            let position = (number % 2) as usize;
            records.ack(on_the_way.remove(position).unwrap());
        }
        if number % BETWEEN_COMMITS == 0 {
            stored += records.take_committable().len();
            assert_eq!(records.ids.len(), records.in_flight());
        }
    }
    on_the_way.into_iter().for_each(|token| records.ack(token));
    stored += records.take_committable().len();
    assert_eq!(stored, PARTITIONS as usize, "each offset was taken once");
    assert!(records.ids.is_empty() && records.due.is_empty());
    let most = IN_FLIGHT + BETWEEN_COMMITS as usize + 1;
    assert!(
        records.partitions.len() <= most,
        "{} numbers were needed, {most} expected",
        records.partitions.len()
    );
}

#[test]
fn many_partitions_with_news_are_a_reason_to_take_offsets_early() {
    let mut records = SubmittedRecords::default();
    for number in 0..CROWD {
        assert!(!records.is_crowded());
        let id = records.partition(&number.to_be_bytes());
        let token = records.submit(id, None);
        records.ack(token);
    }
    assert!(records.is_crowded());
    assert_eq!(records.take_committable().len(), CROWD);
    assert!(!records.is_crowded());
}

#[test]
fn sequence_numbers_may_begin_again() {
    let mut records = SubmittedRecords {
        next_sequence: SEQUENCE_MASK - 2,
        ..SubmittedRecords::default()
    };
    let (a, b) = (records.partition(b"a"), records.partition(b"b"));
    let tokens: Vec<Token> = (0..4)
        .flat_map(|_| [records.submit(a, Some(b"a")), records.submit(b, Some(b"b"))])
        .collect();
    tokens.into_iter().rev().for_each(|token| records.ack(token));
    assert_eq!(records.in_flight(), 0);
    assert_eq!(committable(&mut records), [pair("a", "a"), pair("b", "b")]);
}

/// Against the plain meaning: replay random submissions and acknowledgements and compare with a slow model.
#[test]
fn random_orders_agree_with_the_plain_rule() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    for _ in 0..200 {
        let mut records = SubmittedRecords::default();
        let mut model: Vec<Vec<(Token, bool)>> = vec![Vec::new(); 3];
        let mut last: Vec<Option<String>> = vec![None; 3];
        for step in 0..60 {
            if random(2) == 0 {
                let partition = random(3);
                let id = records.partition(&[u8::try_from(partition).unwrap()]);
                let token = records.submit(id, Some(format!("{}", model[partition].len()).as_bytes()));
                model[partition].push((token, false));
            } else {
                let open: Vec<(usize, usize)> = (0..3)
                    .flat_map(|p| (0..model[p].len()).map(move |r| (p, r)))
                    .filter(|&(p, r)| !model[p][r].1)
                    .collect();
                if !open.is_empty() {
                    let (partition, record) = open[random(open.len())];
                    model[partition][record].1 = true;
                    records.ack(model[partition][record].0);
                }
            }
            for Committable { key, offset } in records.take_committable() {
                last[usize::from(key[0])] = offset.map(|offset| String::from_utf8(offset).unwrap());
            }
            for partition in 0..3 {
                let acked = model[partition].iter().take_while(|(_, acked)| *acked).count();
                let expected = acked.checked_sub(1).map(|record| record.to_string());
                assert_eq!(last[partition], expected, "step {step}");
            }
        }
    }
}

#[test]
fn what_a_transaction_takes_is_the_newest_offset_of_each_partition_and_late_reports_change_nothing() {
    let mut records = SubmittedRecords::default();
    let a = records.partition(b"a");
    let first = records.submit(a, Some(b"1"));
    records.ack(first);
    let second = records.submit(a, Some(b"2"));
    let b = records.partition(b"b");
    let third = records.submit(b, None);
    // Acknowledged before, and taken by nobody yet.
    let c = records.partition(b"c");
    let fourth = records.submit(c, Some(b"4"));
    records.ack(fourth);
    records.partition(b"never used");
    let mut taken: Vec<_> = records
        .take_submitted()
        .into_iter()
        .map(|taken| (taken.key.to_vec(), taken.offset))
        .collect();
    taken.sort();
    assert_eq!(
        taken,
        [
            (b"a".to_vec(), Some(b"2".to_vec())),
            (b"b".to_vec(), None),
            (b"c".to_vec(), Some(b"4".to_vec())),
        ]
    );
    assert!(records.take_submitted().is_empty());
    assert_eq!(records.in_flight(), 0);
    // The same numbers are given out again.
    let again = records.partition(b"d");
    let fifth = records.submit(again, Some(b"5"));
    for late in [first, second, third, fourth] {
        records.ack(late);
    }
    assert_eq!(records.in_flight(), 1);
    assert!(records.take_committable().is_empty());
    records.ack(fifth);
    assert_eq!(records.take_committable().len(), 1);
}
