//! Convolutions by cuDNN: descriptors and algorithms are kept for each geometry, and one workspace serves all.

mod plan;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
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
    with_plan(problem, |handle, plan, workspace| {
        let (algorithm, bytes) = plan.forward(handle)?;
        let [x, weight, y, room] = [raw(&x)?, raw(&weight)?, raw(&y)?, workspace.of(problem.device, bytes)?];
        // SAFETY: the operands have the sizes of the geometry, of which the descriptors are made.
        unsafe {
            result::convolution_forward(
                handle,
                scale(&1.),
                plan.x,
                x,
                plan.w,
                weight,
                plan.conv,
                algorithm,
                room,
                bytes,
                scale(&0.),
                plan.y,
                y,
            )
        }
        .map_err(wrap)
    })
}

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w).
pub(super) fn input_grad(problem: &Problem, dy: Argument, weight: Argument, dx: Argument) -> Result<()> {
    with_plan(problem, |handle, plan, workspace| {
        let (algorithm, bytes) = plan.input_grad(handle)?;
        let [dy, weight, dx, room] =
            [raw(&dy)?, raw(&weight)?, raw(&dx)?, workspace.of(problem.device, bytes)?];
        // SAFETY: as in `forward`.
        unsafe {
            result::convolution_backward_data(
                handle,
                scale(&1.),
                plan.w,
                weight,
                plan.y,
                dy,
                plan.conv,
                algorithm,
                room,
                bytes,
                scale(&0.),
                plan.x,
                dx,
            )
        }
        .map_err(wrap)
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
        return weight_grad_in_type(problem, &x, &dy, if adds { 1. } else { 0. }, &dw);
    }
    // cuDNN gives the gradient in the type of the images; the sum over passes is f32.
    let g = problem.geometry;
    let shape = Shape::from((g.co, g.ci, g.kh, g.kw));
    let part = uninitialized(problem.device, problem.dtype, &shape)?;
    let part_pointer = || pointer(&part, &Layout::contiguous(&shape));
    weight_grad_in_type(problem, &x, &dy, 0., &part_pointer()?)?;
    let count = count(shape.elem_count())?;
    let arguments = [part_pointer()?, dw, Argument::U32(u32::from(adds)), Argument::U32(count)];
    // SAFETY: both have as many elements as the weight.
    unsafe { launch(problem.device, Kernel::Named("add_bf16"), Grid::over_elements(count), &arguments) }
}

fn weight_grad_in_type(
    problem: &Problem,
    x: &Argument,
    dy: &Argument,
    beta: f32,
    dw: &Argument,
) -> Result<()> {
    with_plan(problem, |handle, plan, workspace| {
        let (algorithm, bytes) = plan.weight_grad(handle)?;
        let [x, dy, dw, room] = [raw(x)?, raw(dy)?, raw(dw)?, workspace.of(problem.device, bytes)?];
        // SAFETY: as in `forward`.
        unsafe {
            result::convolution_backward_filter(
                handle,
                scale(&1.),
                plan.x,
                x,
                plan.y,
                dy,
                plan.conv,
                algorithm,
                room,
                bytes,
                scale(&beta),
                plan.w,
                dw,
            )
        }
        .map_err(wrap)
    })
}

/// One thread's cuDNN on one device.
struct Context {
    handle: sys::cudnnHandle_t,
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
    let Context { handle, plans, workspace } = &mut *context.borrow_mut();
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
    // SAFETY: the handle is new, and the stream lives as long as the device, which lives as long as any tensor on it.
    unsafe { result::set_stream(handle, stream.cu_stream() as *mut _) }.map_err(wrap)?;
    let context = Context { handle, plans: HashMap::new(), workspace: Workspace::default() };
    let context = Rc::new(RefCell::new(context));
    CONTEXTS.with_borrow_mut(|contexts| contexts.insert(device.id(), context.clone()));
    Ok(context)
}

impl Drop for Context {
    fn drop(&mut self) {
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
