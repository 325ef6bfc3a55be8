public import PlueConfig
import PlueDocuments
import PlueLedger
public import SystemPackage

/// Loading what a deployment's documents say, now or in a former version.
extension Deployment {
    /// Every setting there is: the daemon's own, and the application's.
    public func model() throws(ConfigurationError) -> SectionModel {
        try extraSections().map { DaemonSettings.schema.model.merging($0) } ?? DaemonSettings.schema.model
    }

    /// A JSON Schema of a program's settings.
    public static func sections(ofSchema path: FilePath) throws(ConfigurationError) -> SectionModel {
        let bytes: [UInt8]
        do {
            bytes = try SystemFiles().read(path)
        } catch {
            throw .invalid([Diagnostic("unreadable-schema", "\(error)")])
        }
        do {
            return try SectionModel(jsonSchema: bytes, name: path.string)
        } catch {
            throw .invalid(error.diagnostics)
        }
    }

    /// A candidate of the files given, layered in their order, the last one winning.
    public func candidate(ofFiles files: [String]) async -> Candidate {
        var candidate = Candidate(environment: environment, variables: variables, overrides: overrides, keys: readKeys())
        for (index, file) in files.enumerated() {
            do {
                let bytes = try SystemFiles().read(FilePath(file))
                let role: SourceText.Role = index == files.count - 1 ? .profile(environment) : .base
                candidate.documents.append(SourceText(name: file, displayName: file, role: role, bytes: bytes))
            } catch {
                candidate.problems.append(Diagnostic("unreadable-document", "\(error)"))
            }
        }
        candidate.readSecretFiles()
        return candidate
    }

    /// The documents of a kept version, as a candidate with today's variables.
    /// - Throws: ``NoSuchVersion``, or the ledger's error.
    func candidate(ofVersion number: Int) async throws -> Candidate {
        let ledger = try Ledger.reading(stateDirectory)
        guard let documents = try await ledger.documents(of: number),
            let version = try await ledger.history(HistoryQuery(version: number)).entries.first?.version
        else { throw NoSuchVersion(number: number) }
        return Candidate(version.environment, stored: documents, variables: variables, overrides: overrides, keys: readKeys())
    }

    /// The newest version, which is the one that runs; `nil` without a history.
    func runningVersion() async throws -> (number: Int, candidate: Candidate)? {
        guard SystemFiles().status(of: stateDirectory.appending("plue.db")) != nil else { return nil }
        let page = try await Ledger.reading(stateDirectory).history(
            HistoryQuery(limit: 1, includesRejected: false, environment: environment))
        guard let version = page.entries.first?.version else { return nil }
        return (version.number, try await candidate(ofVersion: version.number))
    }

    /// Takes a candidate down the road up to the plan.
    /// - Throws: ``Rejection`` with every diagnostic.
    public func plan(_ candidate: Candidate) throws -> Planned<DaemonSettings> {
        try Planned<DaemonSettings>.plan(candidate, extraSections: try extraSections()).get()
    }

    /// Shows secrets as fingerprints under this installation's key; without a state directory the key lasts for the process.
    public func fingerprints() -> Fingerprints {
        let path = stateDirectory.appending("fingerprint.key")
        if let key = try? SystemFiles().read(path, limit: 64), key.count >= 32 { return Fingerprints(key: key) }
        var generator = SystemRandomNumberGenerator()
        let key = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        // Created exclusively: of two processes that start at once one makes the key, and the other reads it.
        guard let file = try? FileDescriptor.open(path, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
        else {
            return (try? SystemFiles().read(path, limit: 64)).map(Fingerprints.init(key:)) ?? Fingerprints(key: key)
        }
        _ = try? file.closeAfter { try file.writeAll(key) }
        return Fingerprints(key: key)
    }
}

/// A setting that there is not.
public struct NoSuchSetting: Error, Sendable, CustomStringConvertible {
    public let key: SettingKey
    public var description: String { "there is no setting '\(key)'" }
}

/// A version that is not kept, or never was.
public struct NoSuchVersion: Error, Sendable, CustomStringConvertible {
    public let number: Int
    public var description: String { "version \(number) is not in the history" }
}
