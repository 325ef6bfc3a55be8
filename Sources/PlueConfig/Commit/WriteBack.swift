/// The documents that a transaction writes into the configuration directory, so that what is shown is what runs.
///
/// Written when every service has passed its verification, right before the commit point. The intent holds the documents
/// by then, so a process that ends in between is completed or undone at the next start.
struct WriteBack: Sendable {
    /// Writes the new documents, all or none.
    let write: @Sendable () async throws -> Void
    /// Writes the former ones again, after the commit point could not be written.
    let restore: @Sendable () async throws -> Void
}
