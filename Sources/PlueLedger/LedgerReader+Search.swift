import GRDB
import PlueConfig

extension LedgerReader {
    /// What is found in the documents of the kept versions, by version; those in which nothing is found are left out.
    ///
    /// Each text is looked at once, however many versions have it.
    /// - Throws: ``LedgerError``; `CancellationError`.
    public func search<Finding: Hashable & Sendable>(
        _ look: @escaping @Sendable ([UInt8]) -> Set<Finding>
    ) async throws -> [Int: Set<Finding>] {
        try await read { transaction in
            var findings: [Int64: Set<Finding>] = [:]
            var versions: [Int: Set<Finding>] = [:]
            let rows = try Row.fetchCursor(transaction.db, sql: "SELECT version, tree FROM attempt WHERE version IS NOT NULL")
            while let row = try rows.next() {
                var found: Set<Finding> = []
                for leaf in try transaction.tree(try row.value("tree"))?.leaves ?? [] where leaf.document != 0 {
                    if findings[leaf.document] == nil { findings[leaf.document] = look(try transaction.bytes(of: leaf.document)) }
                    found.formUnion(findings[leaf.document] ?? [])
                }
                if !found.isEmpty { versions[try row.value("version")] = found }
            }
            return versions
        }
    }
}
