/// The documents that a transaction writes into the configuration directory, so that what is shown is what runs.
///
/// Written when every service has passed its verification, right before the commit point. The intent holds the documents
/// by then, so a process that ends in between is completed or undone at the next start.
struct WriteBack: Sendable {
    /// Writes the new documents.
    let write: @Sendable () async throws -> Void
    /// Writes the former ones again where they differ. Called when the commit point cannot be written, and when ``write`` has
    /// thrown, perhaps halfway: so `write` itself needs no way back.
    let restore: @Sendable () async throws -> Void
}
