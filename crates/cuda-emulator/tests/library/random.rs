use crate::device::{Device, device};

unsafe extern "C" {
    fn curandCreateGenerator(generator: *mut usize, kind: i32) -> i32;
    fn curandSetPseudoRandomGeneratorSeed(generator: usize, seed: u64) -> i32;
    fn curandSetGeneratorOffset(generator: usize, offset: u64) -> i32;
    fn curandGenerateUniform(generator: usize, address: u64, count: usize) -> i32;
    fn curandGenerateNormalDouble(
        generator: usize,
        address: u64,
        count: usize,
        mean: f64,
        deviation: f64,
    ) -> i32;
}

fn generator(seed: u64) -> usize {
    let mut generator = 0;
    // SAFETY: a place for the generator.
    assert_eq!(unsafe { curandCreateGenerator(&mut generator, 100) }, 0);
    // SAFETY: it was just made.
    assert_eq!(unsafe { curandSetPseudoRandomGeneratorSeed(generator, seed) }, 0);
    generator
}

fn uniform(device: &Device, generator: usize, count: usize) -> Vec<f64> {
    let address = device.allocate(4 * count);
    // SAFETY: `count` numbers fit there.
    assert_eq!(unsafe { curandGenerateUniform(generator, address, count) }, 0);
    device.download::<f32>(address, count)
}

#[test]
fn numbers_follow_from_seed_and_offset() {
    let device = device();
    let first = generator(5);
    let numbers = uniform(&device, first, 100);
    assert!(numbers.iter().all(|number| *number > 0.0 && *number <= 1.0));
    assert_eq!(uniform(&device, generator(5), 100), numbers);
    assert_ne!(uniform(&device, generator(6), 100), numbers);
    assert_ne!(uniform(&device, first, 100), numbers, "they go on");
    let late = generator(5);
    // SAFETY: it was just made.
    assert_eq!(unsafe { curandSetGeneratorOffset(late, 60) }, 0);
    assert_eq!(uniform(&device, late, 40), numbers[60..]);
}

#[test]
fn normal_numbers_have_their_mean_and_deviation_and_come_in_pairs() {
    const COUNT: usize = 20_000;
    const LENGTH_NOT_MULTIPLE: i32 = 105;
    let device = device();
    let (generator, address) = (generator(1), device.allocate(8 * COUNT));
    // SAFETY: so many numbers fit there.
    assert_eq!(unsafe { curandGenerateNormalDouble(generator, address, COUNT, 3.0, 2.0) }, 0);
    let numbers = device.download::<f64>(address, COUNT);
    let mean = numbers.iter().sum::<f64>() / COUNT as f64;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / COUNT as f64;
    let within = numbers.iter().filter(|number| (*number - 3.0).abs() < 2.0).count() as f64 / COUNT as f64;
    assert!((mean - 3.0).abs() < 0.06 && (variance - 4.0).abs() < 0.2 && (within - 0.6827).abs() < 0.015);
    // SAFETY: as above.
    assert_eq!(unsafe { curandGenerateNormalDouble(generator, address, 3, 0.0, 1.0) }, LENGTH_NOT_MULTIPLE);
}
