/// An amount of data, in bytes.
public struct ByteSize: Hashable, Sendable, Comparable {
    /// Never negative when it was read from a document.
    public var bytes: Int

    public init(bytes: Int) { self.bytes = bytes }

    /// So many bytes.
    public static func bytes(_ count: Int) -> ByteSize { ByteSize(bytes: count) }
    /// 1024 bytes each.
    public static func kibibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count * 1024) }
    /// 1024² bytes each.
    public static func mebibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count * 1_048_576) }

    public static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }
}

extension ByteSize: SettingValue, CustomStringConvertible {
    public static var kind: ValueKind { .byteSize }

    /// `512`, `64KB` (1000), `10MiB` (1024²); units up to TB and TiB.
    public init(setting text: SettingText) throws(ConversionProblem) {
        let text = text.scalar
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let count = Int(digits), let size = Self.units.first(where: { $0.name == unit })?.bytes,
            case let (bytes, overflow) = count.multipliedReportingOverflow(by: size), !overflow
        else {
            throw ConversionProblem(
                expected: Self.kind.summary, hint: digits.isEmpty ? nil : "units are B, KB, MB, GB, TB (1000) and KiB, MiB, GiB, TiB (1024)"
            )
        }
        self.init(bytes: bytes)
    }

    public var plainValue: PlainValue { .string(description) }

    /// The size as a document spells it, in the largest unit that keeps it exact: `10MiB`, `64KB`, `513`.
    public var description: String {
        guard bytes > 0 else { return String(bytes) }
        let unit = Self.units.last { $0.bytes > 1 && bytes % $0.bytes == 0 }
        return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? String(bytes)
    }

    /// In rising order, so that the last one that divides a size is the largest.
    private static let units: [(name: String, bytes: Int)] = [
        ("", 1), ("B", 1), ("KB", 1000), ("KiB", 1024), ("MB", 1_000_000), ("MiB", 1_048_576),
        ("GB", 1_000_000_000), ("GiB", 1_073_741_824), ("TB", 1_000_000_000_000), ("TiB", 1_099_511_627_776),
    ]
}
