//! The graphs that are planned: three edges a pipe, names that do not depend on the shape.

/// How a graph is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A hundred layers; each pipe reads three of the layer before.
    Wide,
    /// The same under names that do not sort as the layers run, declared in the order of the layers.
    Mixed,
    /// Each pipe reads the three before it.
    Chain,
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::Wide, Self::Mixed, Self::Chain];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Mixed => "mixed",
            Self::Chain => "chain",
        }
    }

    pub(crate) fn edges(self, pipes: usize) -> Edges {
        let mut reads = Vec::with_capacity(pipes);
        let mut seed = 1u64;
        let width = (pipes / 100).max(3);
        for pipe in 0..pipes {
            reads.push(match self {
                Self::Chain => [1, 2, 3].map(|back| pipe.checked_sub(back)),
                Self::Wide | Self::Mixed => three(&mut seed, pipe / width, width),
            });
        }
        // A prime that divides none of the sizes, so that no number comes twice.
        let step = if matches!(self, Self::Mixed) { 7919 } else { 1 };
        let (ids, entities) = (named("pipe", pipes, step), named("lake.entity", pipes, step));
        Edges { reads, ids, entities }
    }
}

fn named(prefix: &str, count: usize, step: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}_{:07}", number * step % count)).collect()
}

/// Three different pipes of the layer before; none in the first layer.
fn three(seed: &mut u64, layer: usize, width: usize) -> [Option<usize>; 3] {
    let Some(before) = layer.checked_sub(1) else { return [None; 3] };
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let first = (*seed >> 33) as usize % width;
    let step = 1 + (*seed >> 13) as usize % (width / 3).max(1);
    [0, 1, 2].map(|turn| Some(before * width + (first + turn * step.min((width - 1) / 2).max(1)) % width))
}

/// Who reads whom, and the names.
#[derive(Debug)]
pub(crate) struct Edges {
    reads: Vec<[Option<usize>; 3]>,
    ids: Vec<String>,
    entities: Vec<String>,
}

impl Edges {
    pub(crate) fn len(&self) -> usize {
        self.reads.len()
    }

    /// Every pipe by name: its id, what it reads and what it makes.
    pub(crate) fn each<'a>(&'a self, mut tell: impl FnMut(&'a str, &[&'a str], &'a str)) {
        for (pipe, reads) in self.reads.iter().enumerate() {
            let mut inputs = [""; 3];
            let count = reads.iter().flatten().count();
            inputs
                .iter_mut()
                .zip(reads.iter().flatten())
                .for_each(|(input, &from)| *input = &self.entities[from]);
            tell(&self.ids[pipe], &inputs[..count], &self.entities[pipe]);
        }
    }

    /// Every edge by number: from, to.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        let reads = self.reads.iter().enumerate();
        reads.flat_map(|(to, reads)| reads.iter().flatten().map(move |&from| (from as u32, to as u32)))
    }
}
