//! How work is spread: what an overloaded member gives up, and who gets what is free.
//!
//! Connectors and tasks are balanced apart. Whatever only some members can run is balanced between those first; the rest
//! fills up what is level then. Where all can run all, only the rest exists, and the rules are upstream's.

use super::pieces::{Kind, Piece, Pieces};
use super::placement::Placement;

/// What each member should give up, so that a later round can hand it to others. Free work counts as if it had been handed
/// out, so that there is room for it.
pub(super) fn revocations(configured: &Pieces, next: &[Pieces], placement: &Placement) -> Vec<Pieces> {
    let mut revoked = vec![Pieces::default(); next.len()];
    if configured.is_empty() || next.iter().all(Pieces::is_empty) {
        return revoked;
    }
    for kind in Kind::BOTH {
        let mut total_of = vec![0_usize; placement.groups()];
        let mut total = 0_usize;
        for piece in configured.of(kind) {
            match placement.group(*piece) {
                Some(group) => total_of[group] += 1,
                None => total += 1,
            }
        }
        // For each group and at last for the rest, member by member, what it holds.
        let mut held = vec![vec![Vec::new(); next.len()]; placement.groups() + 1];
        for (member, pieces) in next.iter().enumerate() {
            for piece in pieces.of(kind) {
                let group = placement.group(*piece).unwrap_or(placement.groups());
                held[group][member].push(*piece);
            }
        }
        let mut pinned = vec![0; next.len()];
        for (group, total) in total_of.into_iter().enumerate() {
            let able: Vec<_> = placement.able(group).collect();
            let Some(share) = total.checked_div(able.len()) else {
                continue;
            };
            let counts = able.iter().map(|member| (*member, held[group][*member].len()));
            let surplus = surplus(total, &counts.collect::<Vec<_>>());
            for member in able {
                pinned[member] += held[group][member].len().max(share);
            }
            for (member, count) in surplus {
                pinned[member] -= count;
                take(&mut revoked[member], &held[group][member], count);
            }
        }
        let rest = &held[placement.groups()];
        for (member, count) in surplus_above(total, &pinned, rest) {
            take(&mut revoked[member], &rest[member], count);
        }
    }
    revoked
}

fn take(revoked: &mut Pieces, from: &[Piece], count: usize) {
    from.iter().take(count).for_each(|piece| revoked.push(*piece));
}

/// Of how many pieces each member has too many, when `total` are to be spread over these members. Whoever comes first keeps
/// the odd ones.
fn surplus(total: usize, counts: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let (least, extras) = (total / counts.len(), total % counts.len());
    let holding = |wanted: usize| counts.iter().filter(|(_, count)| *count == wanted).count();
    let with_extra = holding(least + 1);
    if with_extra == extras && holding(least) + with_extra == counts.len() {
        return Vec::new();
    }
    let mut granted = 0;
    let mut surplus = Vec::new();
    for (member, count) in counts.iter().filter(|(_, count)| *count > least) {
        let mut limit = least;
        if granted < extras {
            granted += 1;
            limit += 1;
        }
        if *count > limit {
            surplus.push((*member, count - limit));
        }
    }
    surplus
}

/// The same where members have something that cannot be moved.
fn surplus_above(total: usize, pinned: &[usize], held: &[Vec<Piece>]) -> Vec<(usize, usize)> {
    // Members whose fixed part is above the level that the others reach do not count for it, and the level sinks.
    let mut level: Vec<usize> = (0..pinned.len()).collect();
    let all = loop {
        let all = total + level.iter().map(|member| pinned[*member]).sum::<usize>();
        let least = all / level.len();
        let before = level.len();
        level.retain(|member| pinned[*member] <= least);
        if level.len() == before {
            break all;
        }
    };
    let counts: Vec<_> = level
        .iter()
        .map(|member| (*member, pinned[*member] + held[*member].len()))
        .collect();
    let mut surplus = surplus(all, &counts);
    surplus.extend(
        (0..pinned.len())
            .filter(|member| !level.contains(member))
            .map(|member| (member, held[member].len())),
    );
    surplus
}

/// Hands out free pieces, each to a member with the fewest of its kind; equal members in order of `rank`. What nobody can run
/// is given back.
pub(super) fn allocate(
    free: &Pieces,
    next: &mut [Pieces],
    placement: &Placement,
    rank: &[usize],
) -> Vec<Piece> {
    let mut unplaceable = Vec::new();
    for kind in Kind::BOTH {
        let mut counts: Vec<_> = next.iter().map(|pieces| pieces.of(kind).len()).collect();
        if placement.groups() > 0 {
            allocate_restricted(kind, free, next, placement, rank, &mut counts, &mut unplaceable);
        }
        let mut order: Vec<usize> = (0..next.len()).collect();
        order.sort_unstable_by_key(|member| (counts[*member], rank[*member]));
        let mut pieces = free
            .of(kind)
            .iter()
            .filter(|piece| placement.group(**piece).is_none());
        let mut level = 0;
        'pieces: while let Some(first) = order.first() {
            // Everybody below has as many as the first one, so each gets one, and the level grows upwards only.
            let least = counts[*first];
            while order.get(level).is_some_and(|member| counts[*member] <= least) {
                level += 1;
            }
            for member in &order[..level] {
                let Some(piece) = pieces.next() else { break 'pieces };
                next[*member].push(*piece);
                counts[*member] += 1;
            }
        }
    }
    unplaceable
}

fn allocate_restricted(
    kind: Kind,
    free: &Pieces,
    next: &mut [Pieces],
    placement: &Placement,
    rank: &[usize],
    counts: &mut [usize],
    unplaceable: &mut Vec<Piece>,
) {
    let mut of_group = vec![vec![0_usize; next.len()]; placement.groups()];
    for (member, pieces) in next.iter().enumerate() {
        for group in pieces.of(kind).iter().filter_map(|piece| placement.group(*piece)) {
            of_group[group][member] += 1;
        }
    }
    for piece in free.of(kind) {
        let Some(group) = placement.group(*piece) else {
            continue;
        };
        let held = &mut of_group[group];
        let Some(member) = placement
            .able(group)
            .min_by_key(|member| (held[*member], counts[*member], rank[*member]))
        else {
            unplaceable.push(*piece);
            continue;
        };
        next[member].push(*piece);
        held[member] += 1;
        counts[member] += 1;
    }
}
