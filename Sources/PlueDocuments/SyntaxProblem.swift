/// Everything that is wrong with a text, by place.
public struct SyntaxErrors: Error, Sendable {
    /// All of them, by place; at least one.
    public let problems: [SyntaxProblem]
}

/// One thing that is wrong with a text. Its words never hold a value, which may be a secret.
public struct SyntaxProblem: Hashable, Sendable {
    /// What kind of thing; stable over releases.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        // The file as a whole.
        case fileTooLarge = "file-too-large"
        case tooManyKeys = "too-many-keys"
        case tooManySections = "too-many-sections"
        case invalidUTF8 = "invalid-utf8"
        case otherEncoding = "other-encoding"
        case nulByte = "nul-byte"
        case carriageReturn = "carriage-return"
        case lineTooLong = "line-too-long"
        // Sections.
        case unterminatedSection = "unterminated-section"
        case sectionTooDeep = "section-too-deep"
        // Keys.
        case keyOutsideSection = "key-outside-section"
        case invalidName = "invalid-name"
        case colonSeparator = "colon-separator"
        case missingEquals = "missing-equals"
        case duplicateKey = "duplicate-key"
        // Values.
        case unterminatedQuote = "unterminated-quote"
        case unknownEscape = "unknown-escape"
        case textAfterQuote = "text-after-quote"
        case emptyItem = "empty-item"
        case severalLines = "several-lines"
    }

    /// What is wrong.
    public var code: Code
    /// Where, in bytes.
    public var range: SourceRange
    /// Where it begins, for people.
    public var start: Place
    /// Where it ends, for people.
    public var end: Place
    /// The whole sentence.
    public var message: String
    /// What stands beside the carets.
    public var label: String?
    /// The way out.
    public var hint: String?
    /// Other places that belong to it.
    public var related: [Related]

    /// Another place that belongs to it.
    public struct Related: Hashable, Sendable {
        /// Where, in bytes.
        public var range: SourceRange
        /// Where it begins, for people.
        public var start: Place
        /// Where it ends, for people.
        public var end: Place
        /// What is there: "first set here".
        public var message: String
    }
}
