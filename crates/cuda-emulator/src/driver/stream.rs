//! Streams and the capture of their work.

use super::in_context;
use crate::boundary::{In, Out};
use crate::failure::{Failure, Outcome};
use crate::stream::{self, CaptureMode, Key, STREAMS, Stream};

const NON_BLOCKING: u32 = 1;

#[unsafe(no_mangle)]
extern "C" fn cuStreamCreate(stream: Out<usize>, flags: u32) -> i32 {
    in_context("cuStreamCreate", || create(stream, flags, 0))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamCreateWithPriority(stream: Out<usize>, flags: u32, priority: i32) -> i32 {
    in_context("cuStreamCreateWithPriority", || create(stream, flags, priority))
}

fn create(stream: Out<usize>, flags: u32, priority: i32) -> Outcome {
    if flags > NON_BLOCKING {
        return Err(Failure::INVALID_VALUE);
    }
    stream.set(STREAMS.insert(Stream { is_non_blocking: flags == NON_BLOCKING, priority }))
}

/// The stream that a handle names, if it was created.
fn created(stream: usize) -> Result<Option<std::sync::Arc<Stream>>, Failure> {
    match stream::key(stream)? {
        Key::Created(handle) => STREAMS.find(handle).map(Some),
        Key::Legacy | Key::PerThread(_) => Ok(None),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamGetPriority(stream: usize, priority: Out<i32>) -> i32 {
    in_context("cuStreamGetPriority", || priority.set(created(stream)?.map_or(0, |stream| stream.priority)))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamGetFlags(stream: usize, flags: Out<u32>) -> i32 {
    in_context("cuStreamGetFlags", || {
        flags.set(created(stream)?.map_or(0, |stream| u32::from(stream.is_non_blocking)))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamGetCtx(_stream: usize, context: Out<usize>) -> i32 {
    in_context("cuStreamGetCtx", || super::context::write_current(context))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamDestroy_v2(stream: usize) -> i32 {
    in_context("cuStreamDestroy_v2", || STREAMS.remove(stream))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamSynchronize(stream: usize) -> i32 {
    in_context("cuStreamSynchronize", || stream::synchronize(stream))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamQuery(stream: usize) -> i32 {
    in_context("cuStreamQuery", || stream::refuse_capture(stream))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamAttachMemAsync(stream: usize, _address: u64, _length: usize, _flags: u32) -> i32 {
    in_context("cuStreamAttachMemAsync", || stream::key(stream).map(drop))
}

fn capture_mode(mode: i32) -> Result<CaptureMode, Failure> {
    match mode {
        0 => Ok(CaptureMode::Global),
        1 => Ok(CaptureMode::ThreadLocal),
        2 => Ok(CaptureMode::Relaxed),
        _ => Err(Failure::INVALID_VALUE),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamBeginCapture_v2(stream: usize, mode: i32) -> i32 {
    in_context("cuStreamBeginCapture_v2", || stream::begin(stream::key(stream)?, capture_mode(mode)?))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamEndCapture(stream: usize, graph: Out<usize>) -> i32 {
    in_context("cuStreamEndCapture", || {
        graph.set(0)?;
        graph.set(super::graph::keep(stream::end(stream::key(stream)?)?))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamIsCapturing(stream: usize, status: Out<i32>) -> i32 {
    in_context("cuStreamIsCapturing", || status.set(stream::information(stream::key(stream)?).0))
}

fn capture_information(stream: usize, status: Out<i32>, id: Out<u64>) -> Outcome {
    let (now, capture, _) = stream::information(stream::key(stream)?);
    status.set(now)?;
    id.set_if_wanted(capture);
    Ok(())
}

/// Graphs are not handed out while they are captured, so neither is where a capture stands in one.
fn without_graph(graph: Out<usize>, dependencies: Out<usize>, count: Out<usize>) -> Outcome {
    if graph.is_null() && dependencies.is_null() && count.is_null() {
        Ok(())
    } else {
        Err(Failure::NOT_SUPPORTED)
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamGetCaptureInfo_v2(
    stream: usize,
    status: Out<i32>,
    id: Out<u64>,
    graph: Out<usize>,
    dependencies: Out<usize>,
    count: Out<usize>,
) -> i32 {
    in_context("cuStreamGetCaptureInfo_v2", || {
        without_graph(graph, dependencies, count)?;
        capture_information(stream, status, id)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamGetCaptureInfo_v3(
    stream: usize,
    status: Out<i32>,
    id: Out<u64>,
    graph: Out<usize>,
    dependencies: Out<usize>,
    _edges: Out<usize>,
    count: Out<usize>,
) -> i32 {
    in_context("cuStreamGetCaptureInfo_v3", || {
        without_graph(graph, dependencies, count)?;
        capture_information(stream, status, id)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuThreadExchangeStreamCaptureMode(mode: Out<i32>) -> i32 {
    in_context("cuThreadExchangeStreamCaptureMode", || {
        let wanted: In<i32> = mode.as_in();
        let before = stream::exchange_mode(capture_mode(wanted.get()?)?);
        mode.set(before as i32)
    })
}
