public import Configuration
public import PlueDocuments

/// INI for swift-configuration's file providers.
///
/// ```swift
/// let provider = try await FileProvider<INISnapshot>(filePath: "/etc/app.ini")
/// let port = ConfigReader(provider: provider).int(forKey: "http.port", default: 8080)
/// ```
///
/// `["http", "tls", "certificate"]` is the key `certificate` of `[http.tls]`. The file alone is read: a `${…}` in it stays text, and
/// there are no profiles and no schema. For those, and for values that were checked before anyone sees them, take PlueConfig's
/// `ConfigManager.provider`.
public struct INISnapshot: Sendable {
    /// How a file is read.
    public struct ParsingOptions: FileParsingOptions {
        /// Reads the text of a value that is asked for as bytes.
        public var bytesDecoder: any ConfigBytesFromStringDecoder
        /// Which keys, as `section.key`, are secret; it is given the value as it is written.
        public var secretsSpecifier: SecretsSpecifier<String, String>
        /// What a file may be at most.
        public var limits: Document.Limits

        public init(
            bytesDecoder: some ConfigBytesFromStringDecoder = .base64, secretsSpecifier: SecretsSpecifier<String, String> = .none,
            limits: Document.Limits = Document.Limits()
        ) {
            self.bytesDecoder = bytesDecoder
            self.secretsSpecifier = secretsSpecifier
            self.limits = limits
        }

        /// What counts unless said otherwise.
        public static var `default`: Self { Self() }
    }

    /// As it appears in swift-configuration's access reports.
    public let providerName: String
    let document: Document
    private let entries: [String: Document.Entry]
    private let options: ParsingOptions
}

extension INISnapshot: FileConfigSnapshot {
    /// Parses a file.
    /// - Throws: ``INIFileError`` with every mistake and its place.
    public init(data: RawSpan, providerName: String, parsingOptions: ParsingOptions) throws {
        self.providerName = providerName
        options = parsingOptions
        do {
            document = try Document(parsing: data.withUnsafeBytes { Array($0) }, name: providerName, limits: parsingOptions.limits)
        } catch {
            throw INIFileError(file: providerName, problems: error.problems)
        }
        // A document never has a key twice.
        var entries: [String: Document.Entry] = [:]
        entries.reserveCapacity(document.entries.count)
        for section in document.sections {
            for entry in document.entries[section.entries] { entries["\(section.name).\(document.key(of: entry))"] = entry }
        }
        self.entries = entries
    }

    /// The value as the type that is asked for; none when the file does not have the key.
    /// - Throws: ``INIValueError`` when it is not of that type.
    public func value(forKey key: AbsoluteConfigKey, type: ConfigType) throws -> LookupResult {
        let name = key.components.joined(separator: ".")
        guard let entry = entries[name] else { return LookupResult(encodedKey: name, value: nil) }
        guard let content = content(of: entry, as: type) else {
            let place = document.place(of: Int(entry.valueRange.start))
            throw INIValueError(file: providerName, line: place.line, column: place.column, key: name, requested: type)
        }
        return LookupResult(encodedKey: name, value: ConfigValue(content, isSecret: isSecret(name, entry)))
    }

    private func isSecret(_ name: String, _ entry: Document.Entry) -> Bool {
        options.secretsSpecifier.isSecret(key: name, value: document.rawText(of: entry))
    }

    private func content(of entry: Document.Entry, as type: ConfigType) -> ConfigContent? {
        switch type {
        case .string: .string(document.text(of: entry))
        case .int: Int(document.text(of: entry)).map(ConfigContent.int)
        case .double: Double(document.text(of: entry)).map(ConfigContent.double)
        case .bool: ValueText.boolean(document.text(of: entry)).map(ConfigContent.bool)
        case .bytes: options.bytesDecoder.decode(document.text(of: entry)).map(ConfigContent.bytes)
        case .stringArray: items(of: entry) { $0 }.map(ConfigContent.stringArray)
        case .intArray: items(of: entry) { Int($0) }.map(ConfigContent.intArray)
        case .doubleArray: items(of: entry) { Double($0) }.map(ConfigContent.doubleArray)
        case .boolArray: items(of: entry) { ValueText.boolean($0) }.map(ConfigContent.boolArray)
        case .byteChunkArray: items(of: entry) { options.bytesDecoder.decode($0) }.map(ConfigContent.byteChunkArray)
        }
    }

    /// The entry's items, or `nil` when one of them is none.
    private func items<Value>(of entry: Document.Entry, _ read: (String) -> Value?) -> [Value]? {
        guard let items = try? document.items(of: entry) else { return nil }
        let values = items.compactMap { read($0.text) }
        return values.count == items.count ? values : nil
    }
}

extension INISnapshot: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String { "\(providerName)[\(entries.count) values]" }

    /// Every key with its value as it is written, secret ones covered.
    public var debugDescription: String {
        let values = entries.sorted { $0.key < $1.key }
            .map { "\($0)=\(isSecret($0, $1) ? "<REDACTED>" : document.rawText(of: $1))" }
        return "\(providerName)[\(entries.count) values: \(values.joined(separator: ", "))]"
    }
}

/// A file that is not INI.
public struct INIFileError: Error, CustomStringConvertible {
    /// What the provider calls the file.
    public let file: String
    /// What is wrong, each with its place.
    public let problems: [SyntaxProblem]

    /// A line for each problem: `file:line:column: message`, with the way out.
    public var description: String {
        problems.map { problem in
            "\(file):\(problem.start.line):\(problem.start.column): \(problem.message)" + (problem.hint.map { "; \($0)" } ?? "")
        }.joined(separator: "\n")
    }
}

/// A value that is not of the type it was asked for.
public struct INIValueError: Error, CustomStringConvertible {
    /// The file, as it was named.
    public let file: String
    /// Counted from 1.
    public let line: Int
    /// Counted from 1, in Unicode scalars.
    public let column: Int
    /// `section.key`
    public let key: String
    /// The type that was asked for.
    public let requested: ConfigType

    /// Without the value, which may be secret.
    public var description: String { "\(file):\(line):\(column): \(key) is not of type \(requested.rawValue)" }
}
