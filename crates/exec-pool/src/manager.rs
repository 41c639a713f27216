//! What a pool must be told about the connections it holds.

use std::future::Future;

/// Makes, checks and closes connections.
///
/// The pool runs these futures in tasks of its own and never in the task of a caller, so a caller who leaves stops
/// none of them half-way; each has a limit of its own in [`Config`](crate::Config). A panic inside counts as a failure.
/// The methods that are not async are called now and then for each lease and must not wait.
///
/// ```
/// use std::io;
/// use tokio::net::TcpStream;
///
/// struct Tcp(&'static str);
///
/// impl exec_pool::Manager for Tcp {
///     type Connection = TcpStream;
///     type Error = io::Error;
///
///     async fn create(&self) -> io::Result<TcpStream> {
///         TcpStream::connect(self.0).await
///     }
///
///     async fn check(&self, stream: &mut TcpStream) -> io::Result<()> {
///         // Nothing may be there to read between two uses: neither bytes nor the end.
///         match stream.try_read(&mut [0]) {
///             Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
///             Err(error) => Err(error),
///             Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
///         }
///     }
/// }
/// ```
pub trait Manager: Send + Sync + 'static {
    /// What is lent.
    type Connection: Send + 'static;
    /// Why it could not be made, or is not good any more.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Makes a connection that is ready for use: session settings, handshakes and all.
    ///
    /// It is stopped after [`Config::connect`](crate::Config::connect), and when the pool closes.
    ///
    /// # Errors
    /// Why there is none. The pool tells those who wait, and waits before it tries again.
    fn create(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Finds out whether an idle connection still works, most often by a short question to the other side.
    ///
    /// It is stopped after [`Config::check`](crate::Config::check); the connection is closed then.
    ///
    /// # Errors
    /// When it does not. It is closed and never lent.
    fn check(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Says farewell. It counts as a connection until this ends, or after [`Config::goodbye`](crate::Config::goodbye).
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send {
        drop(connection);
        std::future::ready(())
    }

    /// Whether the connection may be lent, by what is known without asking the other side. Asked before and after each
    /// lease.
    fn is_open(&self, connection: &Self::Connection) -> bool {
        let _ = connection;
        true
    }

    /// How many leases may share the connection at once. Asked once, when it is new; 1 unless overridden.
    fn streams(&self, connection: &Self::Connection) -> usize {
        let _ = connection;
        1
    }

    /// Another handle of a connection whose [`streams`](Self::streams) are above 1; each lease holds one of its own.
    ///
    /// `None` when it takes no more: it is lent to nobody else then, and closed when its last lease ends. Called while
    /// the pool is locked: clone something, and do not use the pool.
    fn share(&self, connection: &Self::Connection) -> Option<Self::Connection> {
        let _ = connection;
        None
    }
}
