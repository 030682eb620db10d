//! The variables of a network, by name: seeded, saved, loaded, and seen frozen.

use crate::error::{NetworkError, Result};
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use mri_kernels::standard_normals;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A store of f32 variables in the order of their names.
///
/// Networks are built on [`Parameters::var_builder`]. Whatever a layer asks for and the store does not hold
/// is drawn from a stream of its own, keyed by the seed and the tensor's full name: neither the order of
/// construction nor the number of threads changes a bit of it.
#[derive(Debug)]
pub struct Parameters {
    variables: Mutex<BTreeMap<String, Var>>,
    seed: Option<u64>,
    device: Device,
}

impl Parameters {
    /// An empty store that draws each tensor when a network first asks for it.
    pub fn seeded(seed: u64, device: &Device) -> Self {
        Self { variables: Mutex::default(), seed: Some(seed), device: device.clone() }
    }

    /// A store of copies of `tensors`. A network that asks for another name is not built.
    pub fn from_tensors(
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        device: &Device,
    ) -> Result<Self> {
        let copy =
            |tensor: &Tensor| Var::from_tensor(&tensor.to_dtype(DType::F32)?.to_device(device)?.copy()?);
        let variables = tensors
            .into_iter()
            .map(|(name, tensor)| Ok((name, copy(&tensor)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        Ok(Self { variables: Mutex::new(variables), seed: None, device: device.clone() })
    }

    /// Where the variables lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A builder of trainable networks over this store.
    pub fn var_builder(&self) -> VarBuilder<'_> {
        VarBuilder::from_backend(Box::new(Store(self)), DType::F32, self.device.clone())
    }

    /// A builder of networks that record no gradient for these variables.
    ///
    /// Its tensors share storage with the variables: a frozen network built once follows every [`Var::set`].
    /// It holds the variables that exist now, so build the trainable network first.
    pub fn frozen(&self) -> VarBuilder<'static> {
        let detached: HashMap<_, _> =
            self.iter().map(|(name, var)| (name, var.as_detached_tensor())).collect();
        VarBuilder::from_tensors(detached, DType::F32, &self.device)
    }

    /// The variables in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (String, Var)> + use<> {
        self.variables().clone().into_iter()
    }

    /// Number of scalars in all variables.
    pub fn element_count(&self) -> usize {
        self.variables().values().map(|var| var.elem_count()).sum()
    }

    /// Copies of all values, untouched by later training.
    pub fn to_tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        self.iter().map(|(name, var)| Ok((name, var.as_detached_tensor().copy()?))).collect()
    }

    /// Sets every variable from the tensor of its name (a map of either kind, by reference).
    ///
    /// # Errors
    /// Names the first tensor, in the order of names, that is missing, unknown or of another shape;
    /// then no variable has changed.
    pub fn load<'a, N: AsRef<str>>(&self, tensors: impl IntoIterator<Item = (N, &'a Tensor)>) -> Result<()> {
        let variables = self.variables();
        let mut offered: BTreeMap<String, &Tensor> =
            tensors.into_iter().map(|(name, tensor)| (name.as_ref().to_owned(), tensor)).collect();
        let mut pairs = Vec::with_capacity(variables.len());
        for (name, var) in variables.iter() {
            let tensor = offered.remove(name).ok_or_else(|| NetworkError::MissingTensor {
                name: name.clone(),
                expected: var.shape().clone(),
            })?;
            check_shape(name, var.shape(), tensor.shape())?;
            pairs.push((var, tensor.to_dtype(DType::F32)?.to_device(&self.device)?));
        }
        if let Some((name, tensor)) = offered.pop_first() {
            return Err(NetworkError::UnknownTensor { name, found: tensor.shape().clone() });
        }
        for (var, tensor) in pairs {
            var.set(&tensor)?;
        }
        Ok(())
    }

    /// Sets every variable from the one of the same name in `other`; errors as [`Parameters::load`] does.
    pub fn copy_from(&self, other: &Parameters) -> Result<()> {
        self.load(&other.to_tensors()?)
    }

    fn variables(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.variables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_draw(&self, name: &str, shape: &Shape, init: Init) -> Result<Tensor> {
        let mut variables = self.variables();
        if let Some(var) = variables.get(name) {
            check_shape(name, shape, var.shape())?;
            return Ok(var.as_tensor().clone());
        }
        let seed = self
            .seed
            .ok_or_else(|| NetworkError::MissingTensor { name: name.to_owned(), expected: shape.clone() })?;
        let count = shape.elem_count();
        let values: Vec<f32> = match init {
            Init::Const(value) => vec![value as f32; count],
            Init::Randn { mean, stdev } => {
                let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
                standard_normals(key.into(), count).into_iter().map(|z| (mean + stdev * z) as f32).collect()
            }
            other => {
                return Err(NetworkError::Config {
                    key: "init",
                    expected: "a constant or a normal distribution",
                    found: format!("{other:?} for {name}"),
                });
            }
        };
        let var = Var::from_vec(values, shape, &self.device)?;
        let tensor = var.as_tensor().clone();
        variables.insert(name.to_owned(), var);
        Ok(tensor)
    }
}

fn check_shape(name: &str, expected: &Shape, found: &Shape) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(NetworkError::TensorShape { name: name.to_owned(), expected: expected.clone(), found: found.clone() })
}

/// What [`VarBuilder`] asks for tensors.
struct Store<'a>(&'a Parameters);

impl SimpleBackend for Store<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.0.find_or_draw(name, &shape, init)?.to_dtype(dtype)?.to_device(device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let var = self.0.variables().get(name).cloned();
        let var = var.ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_owned() })?;
        var.to_dtype(dtype)?.to_device(device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.variables().contains_key(name)
    }
}
