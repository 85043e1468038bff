//! The bytes of a connection. Writing fails if the client does not read for too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Sleep, sleep};

/// Both directions of a connection.
pub(super) struct Wire {
    read: Arc<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// How long the client may take to read what waits to be written.
    patience: Duration,
    /// When the bytes that wait to be written must have been written.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(read: Arc<OwnedReadHalf>, write: OwnedWriteHalf, patience: Duration) -> Wire {
        Wire { read, write, patience, deadline: None }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        let stream: &tokio::net::TcpStream = (*self.read).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = Pin::new(&mut self.write).poll_write(context, bytes) {
            return Poll::Ready(written);
        }
        // The deadline remains while a few bytes are read now and then: it is for all that waits.
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Called when everything that waited has been written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        self.deadline = None;
        Pin::new(&mut self.write).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::pin::pin;

    use futures_util::future::{Either, select};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Writes more than the buffers of the operating system hold, to a client that reads or does not.
    async fn write_to(reads: bool) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (read, write) = listener.accept().await?.0.into_split();
        let mut wire = Wire::new(Arc::new(read), write, Duration::from_millis(500));
        let reading = async {
            let mut bytes = vec![0; 64 << 10];
            while reads && client.readable().await.is_ok() {
                let _ = client.try_read(&mut bytes);
            }
            pending::<io::Result<()>>().await
        };
        let writing = async {
            let (mut written, bytes) = (0, [0; 64 << 10]);
            while written < 32 << 20 {
                written += poll_fn(|it| Pin::new(&mut wire).poll_write(it, &bytes)).await?;
            }
            Ok(())
        };
        match select(pin!(writing), pin!(reading)).await {
            Either::Left((written, _)) | Either::Right((written, _)) => written,
        }
    }

    #[test]
    fn writing_to_a_client_that_does_not_read_fails() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(write_to(false)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        runtime.block_on(write_to(true)).unwrap();
    }
}
