//! A vector in two orders: the network's, tensor after tensor, for people and files; and that of the
//! engine's memory, partition after partition.
//!
//! In: tensors, and the parts into which each is divided. Out: a [`Partitioned`], which copies values
//! from one order to the other.

use std::ops::Range;

use gradus_kernels::threads::SharedMatrix;

use crate::network::{Role, Tensor};

/// Values in a line of the cache.
const LINE: usize = 16;

/// A rectangular part of a tensor that one thread owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number of the tensor.
    pub tensor: usize,
    /// Its rows of the tensor.
    pub rows: Range<usize>,
    /// Its columns of the tensor.
    pub columns: Range<usize>,
    /// Columns that a row takes in memory; what goes beyond its own columns is 0.
    pub width: usize,
    /// Its place in memory.
    pub range: Range<usize>,
}

/// The tensors of a vector and their partitions.
#[derive(Debug, Clone, Default)]
pub struct Partitioned {
    /// In the network's order.
    pub tensors: Vec<Tensor>,
    /// In the order of memory. A tensor begins on a line of the cache; the gaps before it hold zeros.
    pub partitions: Vec<Partition>,
}

impl Partitioned {
    /// Length in memory.
    pub fn len(&self) -> usize {
        self.partitions.last().map_or(0, |partition| partition.range.end)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Number of values in the network's order.
    pub fn values(&self) -> usize {
        self.tensors.last().map_or(0, |tensor| tensor.range.end)
    }

    /// Adds a tensor and returns its number.
    pub(super) fn add_tensor(&mut self, tensor: Tensor) -> usize {
        self.tensors.push(tensor);
        self.tensors.len() - 1
    }

    /// Adds a tensor behind the others and returns its number.
    pub(super) fn append_tensor(&mut self, name: String, shape: [usize; 2], role: Role) -> usize {
        let start = self.values();
        self.add_tensor(Tensor { name, shape, range: start..start + shape[0] * shape[1], role })
    }

    /// Adds a partition behind the others and returns its number.
    pub(super) fn add(
        &mut self,
        tensor: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        width: usize,
    ) -> usize {
        let start = match self.partitions.last() {
            Some(last) if last.tensor == tensor => self.len(),
            // Registers that are loaded from two lines of the cache take twice as long: a quarter of the time of a single
            // prediction.
            _ => self.len().next_multiple_of(LINE),
        };
        let range = start..start + rows.len() * width;
        self.partitions.push(Partition { tensor, rows, columns, width, range });
        self.partitions.len() - 1
    }

    /// The tensor that a partition is a part of.
    pub fn tensor(&self, partition: usize) -> &Tensor {
        &self.tensors[self.partitions[partition].tensor]
    }

    /// Zeros in the order of memory.
    pub fn zeros(&self) -> SharedMatrix {
        let ranges: Vec<_> = self.partitions.iter().map(|it| it.range.clone()).collect();
        SharedMatrix::vector(self.len(), &ranges)
    }

    /// Values in the network's order, put in the order of memory. Panics if their number is another.
    pub fn to_memory(&self, values: &[f32]) -> SharedMatrix {
        let memory = self.zeros();
        self.write(values, &memory);
        memory
    }

    /// Writes values in the network's order to memory. Panics if their number is another.
    pub fn write(&self, values: &[f32], memory: &SharedMatrix) {
        assert_eq!(values.len(), self.values());
        for (number, partition) in self.partitions.iter().enumerate() {
            let mut memory = memory.write(number);
            let rows = memory.slice().chunks_exact_mut(partition.width.max(1));
            for (row, place) in rows.zip(self.places(partition)) {
                row[..place.len()].copy_from_slice(&values[place.clone()]);
                row[place.len()..].fill(0.0);
            }
        }
    }

    /// Values in memory, put in the network's order.
    pub fn from_memory(&self, memory: &[f32]) -> Vec<f32> {
        let mut values = vec![0.0; self.values()];
        self.read(memory, &mut values);
        values
    }

    /// The same, into `values`; tensors behind its end are left out.
    pub fn read(&self, memory: &[f32], values: &mut [f32]) {
        for partition in &self.partitions {
            if self.tensors[partition.tensor].range.end > values.len() {
                continue;
            }
            let rows = memory[partition.range.clone()].chunks_exact(partition.width.max(1));
            for (row, place) in rows.zip(self.places(partition)) {
                values[place.clone()].copy_from_slice(&row[..place.len()]);
            }
        }
    }

    /// Where the rows of a partition are in the network's order.
    fn places(&self, partition: &Partition) -> impl Iterator<Item = Range<usize>> {
        let Tensor { range, shape: [_, width], .. } = &self.tensors[partition.tensor];
        let (start, width, columns) = (range.start, *width, partition.columns.clone());
        partition.rows.clone().map(move |row| {
            let row = start + row * width;
            row + columns.start..row + columns.end
        })
    }
}
