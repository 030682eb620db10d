//! The CUDA C of all kernels, compiled together.

/// Files in the order in which they are compiled as one program, by name.
pub(super) const SOURCES: [(&str, &str); 12] = [
    ("element.cuh", include_str!("source/element.cuh")),
    ("reduce.cuh", include_str!("source/reduce.cuh")),
    ("pointwise.cu", include_str!("source/pointwise.cu")),
    ("normal_noise.cu", include_str!("source/normal_noise.cu")),
    ("bias.cu", include_str!("source/bias.cu")),
    ("instance_norm.cu", include_str!("source/instance_norm.cu")),
    ("reflection_pad2d.cu", include_str!("source/reflection_pad2d.cu")),
    ("losses.cu", include_str!("source/losses.cu")),
    ("optimizer.cu", include_str!("source/optimizer.cu")),
    ("curve.cu", include_str!("source/curve.cu")),
    ("columns.cu", include_str!("source/columns.cu")),
    ("doubled_kernel.cu", include_str!("source/doubled_kernel.cu")),
];
