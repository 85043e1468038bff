//! Checkpoints of version 2, written by gradus 0.1.0, are resumed to the bits that it would have given.
//!
//! `checkpoint_v2/` holds, for a table of mostly zeros and a dense one, the data, the checkpoint after three
//! of five epochs, and the model after all five, made by that version with `GRADUS_ISA=portable` and
//!
//! ```text
//! gradus train --data sparse.csv --hidden 66,5 --epochs 5 --batch-size 16 --batch-norm --average 0.9
//!     --optimizer adam --learning-rate 0.01 --schedule constant --normalize none --validation 0.2
//!     --patience 4 --seed 5 --checkpoint sparse.checkpoint --checkpoint-every 3 --out sparse.model
//! ```
//!
//! and `--normalize standard` for `dense.csv`. Both networks have two blocks of units in their first layer.

mod common;

use std::fs;
use std::path::Path;

use common::gradus;
use gradus::model_file::safetensors;
use gradus::training::Checkpoint;
use tempfile::TempDir;

#[test]
fn a_checkpoint_of_version_2_is_resumed_to_the_same_bits() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoint_v2");
    let network = |bytes: &[u8]| safetensors::from_bytes(bytes).unwrap().network.clone();
    for name in ["sparse", "dense"] {
        let file = |ending: &str| fs::read(files.join(format!("{name}.{ending}"))).unwrap();
        let folder = TempDir::new().unwrap();
        for ending in ["csv", "checkpoint"] {
            fs::write(folder.path().join(format!("{name}.{ending}")), file(ending)).unwrap();
        }
        for threads in [1, 3] {
            let options = format!("--threads {threads} --quiet --out model.safetensors");
            let command = format!("train --resume {name}.checkpoint {options}");
            gradus(folder.path(), &command).env("GRADUS_ISA", "portable").assert().success();
            let found = fs::read(folder.path().join("model.safetensors")).unwrap();
            assert!(network(&found) == network(&file("model")), "{name}, {threads} threads");
        }
        // Written again it is of the version of today, and holds the same.
        let read = Checkpoint::from_bytes(&file("checkpoint")).unwrap();
        let written = read.to_bytes().unwrap();
        assert!(Checkpoint::from_bytes(&written).unwrap() == read);
        assert_ne!(written, file("checkpoint"));
    }
}
