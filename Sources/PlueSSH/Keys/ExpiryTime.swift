import Foundation

/// The form in which OpenSSH writes a key's end: `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in local time or, with a `Z`, in UTC.
enum ExpiryTime {
    static func parse(_ text: String) -> Date? {
        var digits = Substring(text)
        let isUniversal = digits.last == "Z"
        if isUniversal { digits = digits.dropLast() }
        guard [8, 12, 14].contains(digits.count), digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = isUniversal ? .gmt : .current
        let padded = digits + String(repeating: "0", count: 14 - digits.count)
        var fields: [Int] = []
        var rest = padded[...]
        for length in [4, 2, 2, 2, 2, 2] {
            guard let field = Int(rest.prefix(length)) else { return nil }
            fields.append(field)
            rest = rest.dropFirst(length)
        }
        let components = DateComponents(
            calendar: calendar, year: fields[0], month: fields[1], day: fields[2], hour: fields[3], minute: fields[4], second: fields[5])
        // The thirty-first of June would otherwise be the first of July.
        guard components.isValidDate else { return nil }
        return calendar.date(from: components)
    }
}
