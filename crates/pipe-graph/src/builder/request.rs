//! Which of the declared pipes are wanted.

use std::collections::BTreeMap;

use super::GraphBuilder;
use crate::pipe::PipeId;
use crate::problem::Problem;

/// The requested declarations, and those they depend on if that is asked for, in the order of the names.
pub(super) fn wanted(
    builder: &GraphBuilder,
    declared: &[u32],
    request: Vec<PipeId>,
    problems: &mut Vec<Problem>,
) -> Vec<u32> {
    let mut times: BTreeMap<PipeId, usize> = BTreeMap::new();
    request.into_iter().for_each(|id| *times.entry(id).or_default() += 1);
    let mut found = Vec::with_capacity(times.len());
    let mut missing = Vec::new();
    for (id, times) in times {
        match declared.binary_search_by(|&place| builder.ids.get(place as usize).cmp(&id)) {
            Ok(place) => found.push(declared[place]),
            Err(_) => missing.push(id.clone()),
        }
        if times > 1 {
            problems.push(Problem::DuplicateRequest { id, times });
        }
    }
    if !missing.is_empty() {
        problems.push(Problem::Missing { ids: missing });
    }
    if builder.ancestors { with_ancestors(builder, declared, found) } else { found }
}

fn with_ancestors(builder: &GraphBuilder, declared: &[u32], mut reached: Vec<u32>) -> Vec<u32> {
    let mut makers: Vec<(u32, u32)> =
        declared.iter().map(|&place| (builder.outputs[place as usize], place)).collect();
    makers.sort_unstable();
    let mut seen = vec![false; builder.ids.len()];
    reached.iter().for_each(|&place| seen[place as usize] = true);
    let mut next = 0;
    while let Some(&place) = reached.get(next) {
        next += 1;
        for &entity in builder.inputs.row(place as usize) {
            let from = makers.partition_point(|&(made, _)| made < entity);
            for &(_, maker) in makers[from..].iter().take_while(|&&(made, _)| made == entity) {
                if !std::mem::replace(&mut seen[maker as usize], true) {
                    reached.push(maker);
                }
            }
        }
    }
    declared.iter().copied().filter(|&place| seen[place as usize]).collect()
}
