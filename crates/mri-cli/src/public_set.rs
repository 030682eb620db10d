//! The public T1/T2 slices that student CycleGAN projects train on, and what their numbers mean.
//!
//! Both contrasts are axial slices of one BrainWeb phantom. The level (mm, from the lowest slice of the volume) follows
//! from the number in the file name, so the true partner of a slice is known although the set is called unpaired.

use std::path::{Path, PathBuf};

/// Owner and name of the data set on the Hugging Face hub.
pub const ON_THE_HUB: (&str, &str) = ("nitishpandey04", "MRI-Unpaired-T1-and-T2-Images");

/// The first level of the block (110 to 124) that figures are measured on; training sees what lies below.
pub const FIRST_TEST_LEVEL_MM: u32 = 110;

/// The level of T1 slice `Image #number`.
pub fn t1_level_mm(number: u32) -> u32 {
    if number <= 40 { number + 59 } else { number + 69 }
}

/// The level of T2 slice `Image #number`.
pub fn t2_level_mm(number: u32) -> u32 {
    number.saturating_sub(1)
}

/// The number in `.../Image #48.png`.
pub fn slice_number(path: &Path) -> Option<u32> {
    path.file_stem()?.to_str()?.rsplit_once('#')?.1.trim().parse().ok()
}

/// A T1 and a T2 slice of the same level.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub t1: PathBuf,
    pub t2: PathBuf,
    pub level_mm: u32,
}

/// The true pairs among these files, by ascending level.
pub fn pairs<'a>(t1: impl Iterator<Item = &'a Path>, t2: impl Iterator<Item = &'a Path>) -> Vec<Pair> {
    let leveled = |path: &'a Path, level: fn(u32) -> u32| Some((level(slice_number(path)?), path));
    let t2: Vec<_> = t2.filter_map(|path| leveled(path, t2_level_mm)).collect();
    let mut pairs: Vec<Pair> = t1
        .filter_map(|path| leveled(path, t1_level_mm))
        .filter_map(|(level_mm, t1)| {
            let (_, t2) = t2.iter().find(|(level, _)| *level == level_mm)?;
            Some(Pair { t1: t1.to_path_buf(), t2: t2.to_path_buf(), level_mm })
        })
        .collect();
    pairs.sort_by_key(|pair| pair.level_mm);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table beside the test data has the level of each file, found by comparing it with the BrainWeb volumes.
    #[test]
    fn pairs_are_those_of_the_table_beside_the_test_data() {
        let Some(data) = std::env::var_os("MRI_TEST_DATA") else {
            println!("skipped: MRI_TEST_DATA is not set");
            return;
        };
        let mut table = csv::Reader::from_path(PathBuf::from(data).join("slices/pairs.csv")).unwrap();
        let (mut t1, mut t2, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for record in table.records() {
            let record = record.unwrap();
            let name =
                |column: usize| Some(PathBuf::from(&record[column])).filter(|name| name != Path::new(""));
            t1.extend(name(1));
            t2.extend(name(2));
            if let (Some(t1), Some(t2)) = (name(1), name(2)) {
                known.push(Pair { t1, t2, level_mm: record[0].parse().unwrap() });
            }
        }
        known.sort_by_key(|pair| pair.level_mm);
        assert_eq!(known.len(), 43);
        assert_eq!(pairs(t1.iter().map(PathBuf::as_path), t2.iter().map(PathBuf::as_path)), known);
        let test = known.iter().filter(|pair| pair.level_mm >= FIRST_TEST_LEVEL_MM);
        assert_eq!(test.count(), 15);
    }

    #[test]
    fn numbers_jump_by_ten_levels_after_t1_number_40() {
        assert_eq!((t1_level_mm(40), t1_level_mm(41)), (99, 110));
        let names = |numbers: &[u32]| -> Vec<PathBuf> {
            numbers.iter().map(|number| format!("x/Image #{number}.png").into()).collect()
        };
        let (t1, t2) = (names(&[41, 10, 7]), names(&[70, 80, 111]));
        let found = pairs(t1.iter().map(PathBuf::as_path), t2.iter().map(PathBuf::as_path));
        let levels: Vec<_> = found.iter().map(|pair| pair.level_mm).collect();
        assert_eq!(levels, [69, 110], "T2 #80 has no partner, nor has T1 #7");
    }
}
