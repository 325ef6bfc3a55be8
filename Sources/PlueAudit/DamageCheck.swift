import Foundation
import Synchronization

/// SQLite's own check of a whole database, on a connection and a thread of its own beside the examination: it reads every page once
/// more, and neither needs what the other finds.
final class DamageCheck: Sendable {
    private let allowance = EvidenceDatabase.Allowance()
    private let found = Mutex<EvidenceDatabase.Unreadable?>(nil)
    private let isDone = DispatchSemaphore(value: 0)

    init(of database: EvidenceDatabase) {
        let path = database.path
        Thread.detachNewThread { [self] in
            let damage = Self.damage(of: path, allowance)
            found.withLock { $0 = damage }
            isDone.signal()
        }
    }

    private static func damage(of path: String, _ allowance: EvidenceDatabase.Allowance) -> EvidenceDatabase.Unreadable? {
        var damage: EvidenceDatabase.Unreadable?
        do {
            try EvidenceDatabase(path: path, allowance: allowance).query("PRAGMA integrity_check(1)") { row in
                if row.text(0) != Array("ok".utf8) { damage = .init(problem: "SQLite's own check finds it damaged") }
                return false
            }
        } catch {
            damage = error as? EvidenceDatabase.Unreadable ?? .init(problem: "SQLite's own check cannot be made")
        }
        return damage
    }

    /// What it finds; waits for it.
    var damage: EvidenceDatabase.Unreadable? {
        isDone.wait()
        defer { isDone.signal() }
        return found.withLock { $0 }
    }

    /// Ends it, and waits until it has let go of the database.
    func end() {
        allowance.withdraw()
        _ = damage
    }
}
