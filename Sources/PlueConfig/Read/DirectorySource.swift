public import Foundation
import PlueDocuments
public import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A directory of INI documents: `base.ini`, `<environment>.ini`, `<environment>.d/*.ini`.
///
/// All files of one candidate are of one moment: when anything in the directory changed while they were read, they are read
/// again. So a Kubernetes `..data` swap or a deployment that replaces several files is seen whole or not at all.
public struct DirectorySource: Source {
    private let directory: FilePath
    private let variables: [String: String]
    private let overrides: [Override]
    private let keys: @Sendable () -> SecretKeys?
    /// See ``DirectoryWriter/before``.
    package var beforeStep: @Sendable (WriteStep) throws(Errno) -> Void = { _ throws(Errno) in }

    /// How often a directory that changes under the reader is tried, and the pause between.
    private static let tries = 20
    private static let pause: UInt32 = 5_000
    /// More names than this are no configuration directory.
    private static let mostNames = 100_000

    /// - Parameter keys: Reads what opens encrypted values, as it is at the moment; it may block.
    public init(
        _ directory: FilePath, variables: [String: String] = ProcessInfo.processInfo.environment, overrides: [Override] = [],
        keys: @escaping @Sendable () -> SecretKeys? = { nil }
    ) {
        self.directory = directory
        self.keys = keys
        self.variables = variables
        self.overrides = overrides
    }

    public func read(_ environment: EnvironmentName, assuming changes: [String: [UInt8]?]) async -> Candidate {
        await offPool { readWhole(environment, changes) }
    }

    /// Every document there is, of all profiles, in the order of their names.
    /// - Throws: ``FileReadError`` for one that cannot be read.
    package func everyDocument() async throws(FileReadError) -> [SourceText] {
        try await offPool { () -> Result<[SourceText], FileReadError> in
            Result { () throws(FileReadError) in
                guard let names = names() else { throw FileReadError(path: directory, cause: .missing) }
                var texts: [SourceText] = []
                for name in names.sorted() {
                    guard let role = SourceText.Role(documentName: name) else { continue }
                    let path = directory.appending(name)
                    let bytes = try WholeRead(path, limit: Document.Limits().maxBytes).bytes
                    texts.append(SourceText(name: name, displayName: path.string, role: role, bytes: bytes))
                }
                return texts
            }
        }.get()
    }

    public func write(_ changes: [DocumentChange], isInPlaceAllowed: Bool) async throws(WriteRefusal) {
        try await offPool { () -> Result<Void, WriteRefusal> in
            Result { () throws(WriteRefusal) in try writer(isInPlaceAllowed).write(changes) }
        }.get()
    }

    public func restore(_ changes: [DocumentChange], isInPlaceAllowed: Bool) async throws(WriteRefusal) {
        try await offPool { () -> Result<Void, WriteRefusal> in
            Result { () throws(WriteRefusal) in try writer(isInPlaceAllowed).restore(changes) }
        }.get()
    }

    private func writer(_ isInPlaceAllowed: Bool) -> DirectoryWriter {
        DirectoryWriter(directory: directory, allowsInPlace: isInPlaceAllowed, before: beforeStep)
    }

    public func watchedPaths(for candidate: Candidate) -> Set<FilePath> {
        var paths: Set<FilePath> = [
            directory.appending("base.ini"), directory.appending("\(candidate.environment).ini"),
            directory.appending("\(candidate.environment).d"),
        ]
        for text in candidate.documents {
            paths.insert(directory.appending(text.name))
            if case .profile(let name) = text.role { paths.insert(directory.appending("\(name).d")) }
        }
        return paths.union(candidate.secretFiles.keys).union(candidate.keys?.paths ?? [])
    }

    // MARK: - One moment

    private func readWhole(_ environment: EnvironmentName, _ changes: [String: [UInt8]?]) -> Candidate {
        for attempt in 0..<Self.tries {
            if attempt > 0 { usleep(Self.pause) }
            var reading = Reading(directory: directory)
            let candidate = readOnce(environment, changes, &reading)
            if reading.isOfOneMoment(names: names) { return candidate }
        }
        return Candidate(
            environment: environment, variables: variables, overrides: overrides,
            problems: [Diagnostic("unstable-directory", "\(directory) changes all the time", hint: "it is read again when it has settled")])
    }

    /// What was read, and what it looked like then.
    private struct Reading {
        let directory: FilePath
        /// `nil` for a directory that cannot be listed.
        var names: Set<String>?
        var signatures: [FilePath: FileSignature?] = [:]

        func isOfOneMoment(names current: () -> Set<String>?) -> Bool {
            signatures.allSatisfy { FileSignature($0.key) == $0.value } && current() == names
        }
    }

    private func readOnce(_ environment: EnvironmentName, _ changes: [String: [UInt8]?], _ reading: inout Reading) -> Candidate {
        var candidate = Candidate(environment: environment, variables: variables, overrides: overrides, keys: keys())
        guard EnvironmentName(environment.rawValue) != nil else {
            candidate.problems = [Diagnostic("invalid-name", "'\(environment)' is not an environment's name", expected: "[a-z][a-z0-9-]*")]
            return candidate
        }
        guard let names = names() else {
            let problem = FileSignature(directory).map { $0.isRegular ? "is not a directory" : "cannot be read" } ?? "does not exist"
            candidate.problems = [
                Diagnostic(
                    "no-directory", "the configuration directory \(directory) \(problem)",
                    hint: "name another with --config-dir, or write one with 'plue init'")
            ]
            return candidate
        }
        reading.names = names
        let gone = changes.filter { $0.value == nil }.keys
        let listing = ProfileDirectory(names: names.union(changes.keys).subtracting(gone))
        var problems: [Diagnostic] = []
        let selection = listing.select(environment) { name in
            if let assumed = changes[name] { return assumed }
            let path = directory.appending(name)
            do throws(FileReadError) {
                let read = try WholeRead(path, limit: Document.Limits().maxBytes)
                reading.signatures[path] = read.signature
                return read.bytes
            } catch {
                reading.signatures[path] = .some(nil)
                if error.cause != .missing { reading.signatures[path] = FileSignature(path) }
                problems.append(
                    Diagnostic(
                        "unreadable-document", at: Location(file: path.string, line: 1, column: 1, endLine: 1, endColumn: 1), "\(error)"))
                return nil
            }
        } display: {
            directory.appending($0).string
        }
        candidate.documents = selection.documents.map { text in
            var text = text
            text.owner = reading.signatures[directory.appending(text.name)]??.owner
            return text
        }
        let permission = WritePermission(environment: environment)
        let permissions =
            [permission.problem(ofDirectory: directory)]
            + candidate.documents.map { text in
                let path = directory.appending(text.name)
                return reading.signatures[path].flatMap(\.self).flatMap { permission.problem(of: $0, at: path) }
            }
        candidate.problems =
            problems + permissions.compactMap(\.self) + (candidate.keys?.problems ?? [])
            + (problems.isEmpty ? selection.problems(for: environment, in: directory.string, existing: listing.profiles) : [])
        for path in SecretReferences(selection.documents, overrides, variables).paths {
            do throws(FileReadError) {
                let read = try WholeRead(path, limit: Candidate.longestSecret)
                reading.signatures[path] = read.signature
                candidate.secretFiles[path] = .success(try Candidate.secretText(read.bytes, from: path))
            } catch {
                reading.signatures[path] = FileSignature(path)
                candidate.secretFiles[path] = .failure(error)
            }
        }
        return candidate
    }

    /// The names of documents in the directory and its drop-in directories; `nil` when it cannot be listed.
    private func names() -> Set<String>? {
        guard let top = Self.list(directory) else { return nil }
        var names = Set(top.filter { $0.hasSuffix(".ini") && !$0.hasPrefix(".") })
        for dropIns in top where dropIns.hasSuffix(".d") && !dropIns.hasPrefix(".") {
            for name in Self.list(directory.appending(dropIns)) ?? [] where name.hasSuffix(".ini") { names.insert("\(dropIns)/\(name)") }
        }
        return names
    }

    private static func list(_ directory: FilePath) -> [String]? {
        guard let handle = directory.withPlatformString({ opendir($0) }) else { return nil }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle), names.count < mostNames {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// The files that `${file:…}` and `${credential:…}` name in a candidate.
struct SecretReferences {
    private(set) var paths: Set<FilePath> = []
    /// The variables that `${NAME}` names.
    private(set) var variables: Set<String> = []

    init(_ documents: [SourceText], _ overrides: [Override], _ variables: [String: String]) {
        for text in documents where Self.mayRefer(text.bytes) {
            guard let document = try? Document(parsing: text.bytes, name: text.name) else { continue }
            for entry in document.entries {
                add(document.fragments(of: entry), variables)
                if entry.form == .bare || entry.form == .list, let items = try? document.items(of: entry) {
                    for item in items { add(item.fragments, variables) }
                }
            }
        }
        for (name, path) in variables where name.hasPrefix(variablePrefix) && VariableOverride.setting(ofFileVariable: name) != nil {
            // Which of them override a setting only the schema knows; a file that nobody needs may be missing.
            if !path.isEmpty, !path.utf8.contains(0) { paths.insert(FilePath(path)) }
        }
        for override in overrides {
            if let value = try? ValueText(parsing: override.text) { add(value.fragments, variables) }
        }
    }

    private mutating func add(_ fragments: [Fragment], _ variables: [String: String]) {
        guard fragments.contains(where: { $0.isVerbatim && $0.text.utf8.contains(UInt8(ascii: "$")) }),
            let substitution = try? Substitution(fragments)
        else { return }
        for case .reference(let reference) in substitution.pieces {
            switch reference.source {
            case .file(let path): paths.insert(path)
            case .credential(let name):
                if let directory = variables["CREDENTIALS_DIRECTORY"], !directory.isEmpty {
                    paths.insert(FilePath(directory).appending(name))
                }
            case .variable(let name): self.variables.insert(name)
            case .setting: break
            }
        }
    }

    /// Whether `${` occurs at all; most documents are spared the second look.
    private static func mayRefer(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            var offset = 0
            while offset < buffer.count, let found = memchr(base + offset, Int32(UInt8(ascii: "$")), buffer.count - offset) {
                offset = UnsafeRawPointer(found) - UnsafeRawPointer(base) + 1
                if offset < buffer.count, buffer[offset] == UInt8(ascii: "{") { return true }
            }
            return false
        }
    }
}
