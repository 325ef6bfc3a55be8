public import PlueAudit
import PlueConfig
import PlueLedger
public import SystemPackage

/// Looks whether the audit log is what was written, as `plue audit verify` does, for the API: one look at a time, on a thread that may
/// block.
///
/// It holds the log against what lies beside it. What an operator saw before, only their own command line and browser can hold against
/// it.
actor AuditVerification {
    private var isLooking = false

    /// - Returns: `nil` while another look is under way.
    func look(at directory: FilePath) async -> AuditVerifier.Report? {
        guard !isLooking else { return nil }
        isLooking = true
        defer { isLooking = false }
        return await offPool {
            let published = (try? SystemFiles().read(directory.appending("audit.pub"), limit: 4096)).flatMap {
                VerifierKey(String(decoding: $0, as: UTF8.self))
            }
            guard let published else {
                return AuditVerifier.Report(verdict: .unknownKey, finding: "there is no public key: audit.pub is missing or is none")
            }
            return AuditVerifier(key: published, witnesses: AuditVerifier.Witness.copies(beside: directory))
                .verify(database: directory.appending("plue.db").string)
        }
    }
}

extension AuditVerifier.Witness {
    /// What was appended to `audit.checkpoints`, the newest of it. Read before the database: that has them all by then.
    public static func copies(beside directory: FilePath) -> [AuditVerifier.Witness] {
        let path = directory.appending("audit.checkpoints")
        guard let file = try? FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec, .noFollow]) else { return [] }
        defer { try? file.close() }
        let most: Int64 = 4 * 1_048_576
        // A pipe has no end to go to.
        guard let end = try? file.seek(offset: 0, from: .end) else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(min(end, most)))
        let count = (try? bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: max(0, end - most), into: $0) }) ?? 0
        return Checkpoint.all(in: String(decoding: bytes.prefix(count), as: UTF8.self)).map {
            .init($0, in: path.string, mayBeForeign: true)
        }
    }
}
