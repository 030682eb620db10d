//! Convolutions by cuDNN: descriptors and algorithms are kept for each geometry, and one workspace serves all.

mod plan;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream};
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{DType, Error, Layout, Result, Shape, bail};

use self::plan::Plan;
use super::arithmetic::arithmetic;
use super::convolution::Problem;
use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{address, count, pointer, uninitialized};
use crate::Arithmetic;
use crate::conv::Geometry;
use crate::matmul::Destination;

/// `x` (n, ci, h, w), `weight` (co, ci, kh, kw) -> `y` (n, co, oh, ow).
pub(super) fn forward(problem: &Problem, x: Argument, weight: Argument, y: Argument) -> Result<()> {
    let [x, weight, y] = [raw(&x)?, raw(&weight)?, raw(&y)?];
    with_plan(problem, |handle, plan, workspace| {
        plan.forward(handle, (workspace, problem.device), |p, algorithm, room, bytes| {
            let (one, zero) = (scale(&1.), scale(&0.));
            // SAFETY: the operands have the sizes of the geometry, of which the descriptors are made.
            unsafe {
                result::convolution_forward(
                    handle, one, p.x, x, p.w, weight, p.conv, algorithm, room, bytes, zero, p.y, y,
                )
            }
        })
    })
}

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w).
pub(super) fn input_grad(problem: &Problem, dy: Argument, weight: Argument, dx: Argument) -> Result<()> {
    let [dy, weight, dx] = [raw(&dy)?, raw(&weight)?, raw(&dx)?];
    with_plan(problem, |handle, plan, workspace| {
        plan.input_grad(handle, (workspace, problem.device), |p, algorithm, room, bytes| {
            let (one, zero) = (scale(&1.), scale(&0.));
            // SAFETY: as in `forward`.
            unsafe {
                result::convolution_backward_data(
                    handle, one, p.w, weight, p.y, dy, p.conv, algorithm, room, bytes, zero, p.x, dx,
                )
            }
        })
    })
}

/// `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, kh, kw), f32, in place of or added to what it holds.
pub(super) fn weight_grad(
    problem: &Problem,
    x: Argument,
    dy: Argument,
    destination: Destination,
    dw: Argument,
) -> Result<()> {
    let adds = destination == Destination::Add;
    if problem.dtype == DType::F32 {
        return weight_grad_in_type(problem, [x, dy, dw], if adds { 1. } else { 0. });
    }
    // cuDNN gives the gradient in the type of the images; the sum over passes is f32.
    let g = problem.geometry;
    let shape = Shape::from((g.co, g.ci, g.kh, g.kw));
    let part = uninitialized(problem.device, problem.dtype, &shape)?;
    let part_pointer = pointer(&part, &Layout::contiguous(&shape))?;
    weight_grad_in_type(problem, [x, dy, part_pointer], 0.)?;
    let count = count(shape.elem_count())?;
    let arguments = [part_pointer, dw, Argument::U32(u32::from(adds)), Argument::U32(count)];
    // SAFETY: both have as many elements as the weight.
    unsafe { launch(problem.device, Kernel::Named("add_bf16"), Grid::over_elements(count), &arguments) }
}

fn weight_grad_in_type(problem: &Problem, [x, dy, dw]: [Argument; 3], beta: f32) -> Result<()> {
    let [x, dy, dw] = [raw(&x)?, raw(&dy)?, raw(&dw)?];
    with_plan(problem, |handle, plan, workspace| {
        plan.weight_grad(handle, (workspace, problem.device), |p, algorithm, room, bytes| {
            let (one, beta) = (scale(&1.), scale(&beta));
            // SAFETY: as in `forward`.
            unsafe {
                result::convolution_backward_filter(
                    handle, one, p.x, x, p.y, dy, p.conv, algorithm, room, bytes, beta, p.w, dw,
                )
            }
        })
    })
}

/// One thread's cuDNN on one device.
struct Context {
    handle: sys::cudnnHandle_t,
    /// The handle must not outlive it.
    stream: Arc<CudaStream>,
    plans: HashMap<(Geometry, DType, Arithmetic), Plan>,
    workspace: Workspace,
}

/// Memory for the algorithms, as large as the largest demand so far.
#[derive(Default)]
struct Workspace(Option<CudaSlice<u8>>);

impl Workspace {
    fn of(&mut self, device: &CudaDevice, bytes: usize) -> Result<*mut c_void> {
        if bytes == 0 {
            return Ok(std::ptr::null_mut());
        }
        if self.0.as_ref().is_none_or(|room| room.len() < bytes) {
            self.0 = None;
            // SAFETY: cuDNN writes before it reads.
            self.0 = Some(unsafe { device.alloc::<u8>(bytes)? });
        }
        Ok(self.0.as_ref().map_or(0, address) as *mut c_void)
    }
}

thread_local! {
    static CONTEXTS: RefCell<HashMap<DeviceId, Rc<RefCell<Context>>>> = RefCell::default();
}

fn with_plan(
    problem: &Problem,
    f: impl FnOnce(sys::cudnnHandle_t, &mut Plan, &mut Workspace) -> Result<()>,
) -> Result<()> {
    let context = context(problem.device)?;
    let Context { handle, stream, plans, workspace } = &mut *context.borrow_mut();
    stream.context().bind_to_thread().map_err(Error::wrap)?;
    let key = (*problem.geometry, problem.dtype, arithmetic());
    let plan = match plans.entry(key) {
        std::collections::hash_map::Entry::Occupied(plan) => plan.into_mut(),
        std::collections::hash_map::Entry::Vacant(place) => {
            place.insert(Plan::new(problem.geometry, problem.dtype, arithmetic())?)
        }
    };
    f(*handle, plan, workspace)
}

fn context(device: &CudaDevice) -> Result<Rc<RefCell<Context>>> {
    if let Some(context) = CONTEXTS.with_borrow(|contexts| contexts.get(&device.id()).cloned()) {
        return Ok(context);
    }
    let stream = device.cuda_stream();
    stream.context().bind_to_thread().map_err(Error::wrap)?;
    let handle = result::create_handle().map_err(wrap)?;
    // SAFETY: the handle is new, and the context keeps the stream.
    unsafe { result::set_stream(handle, stream.cu_stream() as *mut _) }.map_err(wrap)?;
    let context = Context { handle, stream, plans: HashMap::new(), workspace: Workspace::default() };
    let context = Rc::new(RefCell::new(context));
    CONTEXTS.with_borrow_mut(|contexts| contexts.insert(device.id(), context.clone()));
    Ok(context)
}

impl Drop for Context {
    fn drop(&mut self) {
        let _ = self.stream.context().bind_to_thread();
        self.plans.clear();
        // SAFETY: nothing uses the handle any more. A failure leaves a handle behind in a process that is ending.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

fn raw(argument: &Argument) -> Result<*mut c_void> {
    match argument {
        Argument::Pointer(address) => Ok(*address as *mut c_void),
        _ => bail!("mri-kernels: expected an address"),
    }
}

/// cuDNN takes the factors of f32 and bf16 products as f32.
fn scale(factor: &f32) -> *const c_void {
    (&raw const *factor).cast()
}

fn wrap(error: CudnnError) -> Error {
    Error::wrap(error)
}
