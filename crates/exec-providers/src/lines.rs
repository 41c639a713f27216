//! Writes what every format writes alike in a stream of server-sent events.

use bytes::{BufMut as _, BytesMut};

/// The data of an event and its end. Data of several lines becomes several lines again.
pub(crate) fn write_data(data: &[u8], out: &mut BytesMut) {
    for line in data.split(|&byte| byte == b'\n') {
        out.put_slice(b"data: ");
        out.put_slice(line);
        out.put_slice(b"\n");
    }
    out.put_slice(b"\n");
}
