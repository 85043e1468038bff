//! Numbers as bytes: what other processes are sent, and where what they send is received, without a copy.

/// The memory of `values`: four bytes each, in the order of this machine.
pub fn bytes_of(values: &[f32]) -> &[u8] {
    let (start, length) = (values.as_ptr().cast::<u8>(), size_of_val(values));
    // SAFETY: the bytes are those of `values`, which stay borrowed; every byte of a float is initialized, and
    // bytes need no alignment.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// The memory of `values`, to be written.
pub fn bytes_of_mut(values: &mut [f32]) -> &mut [u8] {
    let (start, length) = (values.as_mut_ptr().cast::<u8>(), size_of_val(values));
    // SAFETY: as above; the borrow is exclusive, and any four bytes are a float.
    unsafe { std::slice::from_raw_parts_mut(start, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_bytes() {
        let mut values = [1.5, f32::NAN, -0.0];
        let expected: Vec<u8> = values.iter().flat_map(|value: &f32| value.to_ne_bytes()).collect();
        assert_eq!(bytes_of(&values), expected);
        bytes_of_mut(&mut values)[4..8].copy_from_slice(&(-2.25_f32).to_ne_bytes());
        assert_eq!(values[1], -2.25);
        assert!(bytes_of(&[]).is_empty() && bytes_of_mut(&mut []).is_empty());
    }
}
