import OrderedCollections
import PlueDocuments
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The files that ``WatchedFile`` settings name, and their reading beside the documents.
extension Source {
    /// Reads everything that counts for an environment, and what its settings name, all of one moment.
    ///
    /// Files and documents are looked at once more after they were read: what is the same then was never otherwise in between.
    /// So a deployment that replaces a certificate, its key and the document that names them is seen whole or not at all.
    /// - Parameters:
    ///   - changes: What documents are taken to hold, whatever they hold now.
    ///   - schema: Says which settings name files whose content counts.
    func read(
        _ environment: EnvironmentName, assuming changes: [String: [UInt8]?] = [:], watchingBy schema: SectionModel,
        _ files: any FileAccess
    ) async -> Candidate {
        var candidate = await read(environment, assuming: changes)
        for _ in 0..<watchedFileTries {
            let paths = candidate.watchedPaths(by: schema)
            guard !paths.isEmpty else { return candidate }
            let first = await offPool { paths.reading(from: files) }
            candidate.watchedFiles = first
            let again = await read(environment, assuming: changes)
            let isOfOneMoment = await offPool { paths.reading(from: files) } == first
            candidate.watchedFiles = [:]
            if isOfOneMoment, again.isSame(as: candidate) {
                candidate.watchedFiles = first
                return candidate
            }
            candidate = again
        }
        candidate.problems.append(
            Diagnostic(
                "unstable-files", "the files that settings name change all the time", hint: "they are read again when they have settled"))
        return candidate
    }
}

/// How often files that change under the reader are tried.
private let watchedFileTries = 20

extension Candidate {
    /// Reads what settings name and is not read yet. Blocks.
    mutating func readWatchedFiles(by schema: SectionModel, _ files: any FileAccess) {
        watchedFiles.merge(watchedPaths(by: schema).subtracting(watchedFiles.keys).reading(from: files)) { read, _ in read }
    }

    /// The files that settings name, their texts layered and resolved as the road will do it.
    ///
    /// None for a candidate that will not get so far; what is wrong with it the road reports.
    func watchedPaths(by schema: SectionModel) -> Set<FilePath> {
        let names = schema.watchedFileNames
        guard !names.isEmpty, schema.hasWatchedDefaults || mayName(names) else { return [] }
        let parsed = documents.compactMap { text in
            (try? Document(parsing: text.bytes, name: text.displayName)).map { ParsedDocument(document: $0, role: text.role) }
        }
        guard parsed.count == documents.count else { return [] }
        let resolution = resolve(stack(parsed, under: self, for: schema).stack, with: schema, in: self)
        var paths: Set<FilePath> = []
        for section in resolution.sections {
            for setting in section.settings where setting.model.isWatchedFile {
                if let path = (try? setting.model.decode(setting.text))?.file?.path { paths.insert(path) }
            }
        }
        // Of one that a layer sets the default is not needed, and harmless.
        for setting in schema.watchedFileSettings where !setting.isRequired {
            if let path = setting.defaultValue.flatMap({ try? setting.decode(SettingText($0)) })?.file?.path { paths.insert(path) }
        }
        return paths
    }

    /// Whether any of the settings may be set at all; most configurations are spared the second look.
    private func mayName(_ names: Set<String>) -> Bool {
        !overrides.isEmpty || variables.keys.contains { $0.hasPrefix(variablePrefix) }
            || documents.contains { text in names.contains { text.holds($0) } }
    }
}

extension SourceText {
    fileprivate func holds(_ name: String) -> Bool {
        let name = Array(name.utf8)
        guard let first = name.first, bytes.count >= name.count else { return false }
        return bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            let end = bytes.count - name.count + 1
            var offset = 0
            while offset < end, let found = memchr(base + offset, Int32(first), end - offset) {
                if memcmp(found, name, name.count) == 0 { return true }
                offset = UnsafeRawPointer(found) - base + 1
            }
            return false
        }
    }
}

extension Set<FilePath> {
    fileprivate func reading(from files: any FileAccess) -> [FilePath: Result<WatchedFile, FileReadError>] {
        Dictionary(
            uniqueKeysWithValues: map { path in
                (path, Result { () throws(FileReadError) in try WatchedFile(reading: path, from: files) })
            })
    }
}

extension SectionModel {
    /// The settings, in this section and below, that name files whose content counts.
    fileprivate var watchedFileSettings: [SettingModel] {
        settings.values.filter(\.isWatchedFile) + sections.values.flatMap(\.watchedFileSettings)
            + (anySection?.value.watchedFileSettings ?? [])
    }

    fileprivate var watchedFileNames: Set<String> { Set(watchedFileSettings.map(\.name)) }

    fileprivate var hasWatchedDefaults: Bool { watchedFileSettings.contains { $0.defaultValue != nil && !$0.isRequired } }
}
