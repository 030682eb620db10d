//! Graphs: captured work, done again at each launch.

use super::in_context;
use crate::boundary::Out;
use crate::failure::{Failure, Outcome};
use crate::handles::Handles;
use crate::memory;
use crate::stream::{self, Graph};
use crate::task::Task;

struct Executable {
    graph: Graph,
    /// A launch first frees what the one before allocated and nobody freed.
    frees_on_launch: bool,
}

static GRAPHS: Handles<Graph> = Handles::new();
static EXECUTABLES: Handles<Executable> = Handles::new();

const AUTO_FREE_ON_LAUNCH: u64 = 1;
const UPLOAD: u64 = 2;
const USE_NODE_PRIORITY: u64 = 8;

pub(super) fn forget() {
    GRAPHS.clear();
    EXECUTABLES.clear();
}

pub(super) fn keep(graph: Graph) -> usize {
    GRAPHS.insert(graph)
}

fn instantiate(executable: Out<usize>, graph: usize, flags: u64) -> Outcome {
    let graph = GRAPHS.find(graph)?;
    if flags & !(AUTO_FREE_ON_LAUNCH | UPLOAD | USE_NODE_PRIORITY) != 0 {
        return Err(Failure::INVALID_VALUE);
    }
    let frees_on_launch = flags & AUTO_FREE_ON_LAUNCH != 0;
    executable.set(EXECUTABLES.insert(Executable { graph: (*graph).clone(), frees_on_launch }))
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphInstantiateWithFlags(executable: Out<usize>, graph: usize, flags: u64) -> i32 {
    in_context("cuGraphInstantiateWithFlags", || instantiate(executable, graph, flags))
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphUpload(executable: usize, _stream: usize) -> i32 {
    in_context("cuGraphUpload", || EXECUTABLES.find(executable).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphLaunch(executable: usize, stream: usize) -> i32 {
    in_context("cuGraphLaunch", || {
        let executable = EXECUTABLES.find(executable)?;
        let stream = stream::key(stream)?;
        if stream::information(stream).0 != 0 {
            // The launch becomes part of another graph.
            return executable.graph.tasks.iter().try_for_each(|task| stream::submit_shared(stream, task));
        }
        for &address in &executable.graph.unfreed {
            if !memory::is_live(address, 1) {
                continue;
            }
            if !executable.frees_on_launch {
                eprintln!("cuda-emulator: a graph is launched while memory of its last launch is not freed");
                return Err(Failure::INVALID_VALUE);
            }
            memory::free(address)?;
        }
        executable.graph.tasks.iter().try_for_each(|task| Task::execute(task))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphExecDestroy(executable: usize) -> i32 {
    in_context("cuGraphExecDestroy", || EXECUTABLES.remove(executable))
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphDestroy(graph: usize) -> i32 {
    in_context("cuGraphDestroy", || GRAPHS.remove(graph))
}

/// Nodes can be counted, not handed out.
#[unsafe(no_mangle)]
extern "C" fn cuGraphGetNodes(graph: usize, nodes: Out<usize>, count: Out<usize>) -> i32 {
    in_context("cuGraphGetNodes", || {
        if !nodes.is_null() {
            return Err(Failure::NOT_SUPPORTED);
        }
        count.set(GRAPHS.find(graph)?.tasks.len())
    })
}
