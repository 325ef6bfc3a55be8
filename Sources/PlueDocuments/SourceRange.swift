/// A range of a document's bytes, the end exclusive.
public struct SourceRange: Hashable, Sendable {
    /// Offset of the first byte.
    public var start: UInt32
    /// Offset of the first byte that is not part of it any more.
    public var end: UInt32

    public init(start: UInt32, end: UInt32) {
        self.start = start
        self.end = end
    }

    init(_ range: Range<Int>) {
        self.init(start: UInt32(clamping: range.lowerBound), end: UInt32(clamping: range.upperBound))
    }

    /// The range as indices of the document's bytes.
    public var indices: Range<Int> { Int(start)..<Int(max(start, end)) }
}

/// A place as people count: lines and columns from 1, a column being a Unicode scalar.
public struct Place: Hashable, Sendable, Comparable {
    /// Counted from 1.
    public var line: Int
    /// Counted from 1, in Unicode scalars.
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    public static func < (left: Place, right: Place) -> Bool { (left.line, left.column) < (right.line, right.column) }
}
