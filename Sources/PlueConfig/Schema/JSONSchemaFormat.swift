import Foundation
import SystemPackage

/// A format that a text can have, by its name in `format`.
struct JSONSchemaFormat: Sendable {
    let name: String
    /// "an IPv4 address such as 192.0.2.1".
    let summary: String
    let kind: ValueKind
    /// The canonical spelling, or `nil` for a text that does not have the format.
    let canonical: @Sendable (String) -> String?
    /// Whether the first of two texts is at most the second; `nil` when one does not have the format or the format no order.
    var isOrdered: @Sendable (String, String) -> Bool? = { _, _ in nil }

    /// The format of that name, or `nil`: an unknown one would silently check nothing.
    static func named(_ name: String) -> JSONSchemaFormat? { all[name] }

    static let names = all.keys.sorted()

    private static let all: [String: JSONSchemaFormat] = {
        let formats = [
            JSONSchemaFormat("date-time", "a time such as 2026-01-31T12:00:00Z") { isDateTime($0) },
            JSONSchemaFormat("date", "a date such as 2026-01-31") { isDate($0) },
            JSONSchemaFormat("time", "a time of day such as 12:00:00Z") { isTime($0) },
            JSONSchemaFormat("duration", "an ISO 8601 duration such as PT30S") { isDuration($0) },
            JSONSchemaFormat("email", "an email address") { isEmail($0) },
            JSONSchemaFormat("hostname", "a host name") { isHostname($0) },
            JSONSchemaFormat("ipv4", "an IPv4 address such as 192.0.2.1") { IPAddress($0)?.family == .v4 },
            JSONSchemaFormat("ipv6", "an IPv6 address such as 2001:db8::1") { IPAddress($0)?.family == .v6 },
            JSONSchemaFormat("uuid", "a UUID such as 123e4567-e89b-12d3-a456-426614174000") { isUUID($0) },
            JSONSchemaFormat("json-pointer", "a JSON Pointer such as /a/0") { isPointer($0) },
            JSONSchemaFormat("uri", URL.self), JSONSchemaFormat("regex", RegularExpression.self),
            JSONSchemaFormat("plue-path", FilePath.self), JSONSchemaFormat("ip", IPAddress.self), JSONSchemaFormat("cidr", CIDR.self),
            JSONSchemaFormat("host-port", HostPort.self),
            JSONSchemaFormat("plue-duration", ordered: Duration.self), JSONSchemaFormat("plue-byte-size", ordered: ByteSize.self),
        ]
        return Dictionary(uniqueKeysWithValues: formats.map { ($0.name, $0) })
    }()

    private init(_ name: String, _ summary: String, holds: @escaping @Sendable (String) -> Bool) {
        self.name = name
        self.summary = summary
        kind = .string(format: name)
        canonical = { holds($0) ? $0 : nil }
    }

    private init<Value: SettingValue>(_ name: String, _: Value.Type) {
        self.name = name
        summary = Value.kind.summary
        kind = Value.kind
        canonical = { text in (try? Value(setting: .scalar(text)))?.plainValue.description }
    }

    private init<Value: SettingValue & Comparable>(_ name: String, ordered type: Value.Type) {
        self.init(name, type)
        isOrdered = { low, high in
            guard let low = try? Value(setting: .scalar(low)), let high = try? Value(setting: .scalar(high)) else { return nil }
            return low <= high
        }
    }
}

// MARK: - What the formats of JSON Schema look like

private func isDateTime(_ text: String) -> Bool {
    guard let separator = text.firstIndex(where: { "Tt".contains($0) }) else { return false }
    return isDate(String(text[..<separator])) && isTime(String(text[text.index(after: separator)...]))
}

/// RFC 3339 `full-date`, the day one that its month has.
private func isDate(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, let year = digits(parts[0], 4), let month = digits(parts[1], 2), let day = digits(parts[2], 2) else {
        return false
    }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...12).contains(month) && (1...days[month - 1]).contains(day)
}

/// RFC 3339 `full-time`: with seconds and an offset; a leap second only where one can be.
private func isTime(_ text: String) -> Bool {
    var text = text[...]
    var offset = 0
    if text.last == "Z" || text.last == "z" {
        text = text.dropLast()
    } else {
        let zone = text.suffix(6)
        guard zone.count == 6, let sign = zone.first, "+-".contains(sign), zone.dropFirst(3).first == ":",
            let hours = digits(zone.dropFirst().prefix(2), 2), let minutes = digits(zone.suffix(2), 2), hours < 24, minutes < 60
        else { return false }
        offset = (sign == "-" ? -1 : 1) * (hours * 60 + minutes)
        text = text.dropLast(6)
    }
    let fraction = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    if fraction.count == 2, fraction[1].isEmpty || !fraction[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
        return false
    }
    let parts = fraction[0].split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let hour = digits(parts[0], 2), let minute = digits(parts[1], 2), let second = digits(parts[2], 2),
        hour < 24, minute < 60, second <= 60
    else { return false }
    return second < 60 || (hour * 60 + minute - offset + 1440) % 1440 == 1439
}

/// RFC 3339 appendix A: `P3D`, `PT1H30M`, `P4W`; units in falling order, each at most once and none left out between two.
private func isDuration(_ text: String) -> Bool {
    guard text.first == "P" else { return false }
    let halves = text.dropFirst().split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    func units(_ text: Substring, _ order: String) -> Bool {
        var rest = text
        var order = order[...]
        var isFirst = true
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && $0.isNumber }
            guard !number.isEmpty, let unit = rest.dropFirst(number.count).first, let place = order.firstIndex(of: unit),
                isFirst || place == order.startIndex
            else { return false }
            order = order[order.index(after: place)...]
            rest = rest.dropFirst(number.count + 1)
            isFirst = false
        }
        return true
    }
    guard let date = halves.first else { return false }
    if halves.count == 2 { return !halves[1].isEmpty && units(halves[1], "HMS") && units(date, "YMD") }
    return !date.isEmpty && (units(date, "YMD") || units(date, "W"))
}

private func isEmail(_ text: String) -> Bool {
    guard let at = text.lastIndex(of: "@") else { return false }
    let local = text[..<at]
    let domain = text[text.index(after: at)...]
    let atoms = local.split(separator: ".", omittingEmptySubsequences: false)
    let isLocal =
        !local.isEmpty && local.utf8.count <= 64
        && atoms.allSatisfy { atom in
            !atom.isEmpty
                && atom.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && !"()<>[]:;@\\,\"".unicodeScalars.contains($0) }
        }
    if domain.hasPrefix("["), domain.hasSuffix("]") {
        let address = String(domain.dropFirst().dropLast())
        return isLocal && IPAddress(address.hasPrefix("IPv6:") ? String(address.dropFirst(5)) : address) != nil
    }
    return isLocal && isHostname(String(domain))
}

/// RFC 1123: labels of letters, digits and inner hyphens.
private func isHostname(_ text: String) -> Bool {
    guard !text.isEmpty, text.utf8.count <= 253 else { return false }
    return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }
}

private func isUUID(_ text: String) -> Bool {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    return groups.map(\.utf8.count) == [8, 4, 4, 4, 12] && groups.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isHexDigit } }
}

private func isPointer(_ text: String) -> Bool {
    guard text.isEmpty || text.hasPrefix("/") else { return false }
    let scalars = Array(text.unicodeScalars)
    return scalars.indices.allSatisfy {
        scalars[$0] != "~" || ($0 + 1 < scalars.count && (scalars[$0 + 1] == "0" || scalars[$0 + 1] == "1"))
    }
}

private func digits(_ text: Substring, _ count: Int) -> Int? {
    text.utf8.count == count && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
}
