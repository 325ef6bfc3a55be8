extension Duration: SettingValue {
    public static var kind: ValueKind { .duration }

    /// A whole number with a unit, `ms s m h d`; several in falling order, `1h30m`. A lone `0` needs no unit.
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let milliseconds = Self.milliseconds(in: text.scalar) else {
            throw ConversionProblem(
                expected: Self.kind.summary,
                hint: Int(text.scalar) == nil ? nil : "add a unit: ms, s, m, h or d")
        }
        self = .milliseconds(milliseconds)
    }

    public var plainValue: PlainValue { .string(settingText) }

    /// The duration as a document spells it, exact to the millisecond: `1h30m`.
    public var settingText: String {
        let (seconds, attoseconds) = components
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
        guard !milliseconds.overflow else { return "\(seconds)s" }
        var rest = milliseconds.partialValue + attoseconds / 1_000_000_000_000_000
        guard rest > 0 else { return "0s" }
        var text = ""
        for (unit, size) in Self.units where rest >= size {
            text += "\(rest / size)\(unit)"
            rest %= size
        }
        return text
    }

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    private static func milliseconds(in text: String) -> Int64? {
        if text == "0" { return 0 }
        var rest = text[...]
        var total: Int64 = 0
        var smallest = Int64.max
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let unit = rest.dropFirst(digits.count).prefix { $0.isASCII && $0.isLetter }
            guard let count = Int64(digits), let size = units.first(where: { $0.name == unit })?.milliseconds, size < smallest
            else { return nil }
            let (part, tooLarge) = count.multipliedReportingOverflow(by: size)
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !tooLarge, !overflow else { return nil }
            total = sum
            smallest = size
            rest = rest.dropFirst(digits.count + unit.count)
        }
        return total
    }
}
