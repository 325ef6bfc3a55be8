import Foundation
import GRDB
public import PlueConfig

extension LedgerTransaction {
    /// At most so many versions are looked through for what brought a value.
    private static let farthest = 10_000

    func since(
        _ document: String, in environment: EnvironmentName, where isSame: ([UInt8]?) -> Bool
    ) throws -> ValueBeginning? {
        let name = try Int64.fetchOne(db, sql: "SELECT id FROM name WHERE text = ?", arguments: [document])
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, tree FROM attempt WHERE version IS NOT NULL AND environment = ? ORDER BY id DESC LIMIT ?",
            arguments: [environment.rawValue, Self.farthest])
        var found: Int?
        var isExact = false
        // Most versions leave a document as it is; its text is looked at once.
        var known: (leaf: Int64?, isSame: Bool)?
        while let row = try rows.next() {
            let leaf = try tree(try row.value("tree") as Data?)?.leaves.first { $0.name == name }?.document
            if known == nil || known?.leaf != leaf { known = (leaf, isSame(try leaf.map(bytes))) }
            guard known?.isSame == true else {
                isExact = true
                break
            }
            found = try row.value("id")
        }
        guard let found, let entry = try entry(ofAttempt: found) else { return nil }
        // The first version of all is where everything in it began.
        return ValueBeginning(entry: entry, isExact: isExact || entry.version?.parent == nil)
    }
}

/// The version since which a value has been what it is.
public struct ValueBeginning: Sendable {
    /// The candidate and its version.
    public let entry: HistoryPage.Entry
    /// Whether that version brought it; otherwise it is only the oldest one that is looked at, and had it already.
    public let isExact: Bool
}
