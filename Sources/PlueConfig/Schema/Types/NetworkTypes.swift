#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// An IPv4 or IPv6 address, as text in its shortest form.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The version of the protocol.
    public enum Family: Hashable, Sendable { case v4, v6 }

    /// IPv4 or IPv6.
    public let family: Family
    /// The address in network order: 4 bytes or 16.
    public let bytes: [UInt8]

    /// `nil` unless the text is one address, without a port, a prefix length or a zone.
    public init?(_ text: String) {
        if let bytes = Self.bytes(of: text, AF_INET, count: 4) {
            (family, self.bytes) = (.v4, bytes)
        } else if let bytes = Self.bytes(of: text, AF_INET6, count: 16) {
            (family, self.bytes) = (.v6, bytes)
        } else {
            return nil
        }
    }

    private static func bytes(of text: String, _ family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    /// The shortest spelling (RFC 5952 for IPv6).
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let written = inet_ntop(family == .v4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return written == nil ? "" : String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension IPAddress: SettingValue {
    public static var kind: ValueKind { .string(format: "ip") }
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let address = IPAddress(text.scalar) else {
            throw ConversionProblem(expected: "an IPv4 or IPv6 address such as 192.0.2.1 or 2001:db8::1")
        }
        self = address
    }
    public var plainValue: PlainValue { .string(description) }
}

/// A network: an address and how many of its leading bits count, `10.0.0.0/8`.
public struct CIDR: Hashable, Sendable, CustomStringConvertible {
    /// The network's address.
    public let address: IPAddress
    /// 0 to 32, or to 128 for IPv6.
    public let prefixLength: Int

    /// `nil` unless the text is `address/length` and the address has no bits set past the prefix.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]),
            (0...address.bytes.count * 8).contains(length)
        else { return nil }
        for (index, byte) in address.bytes.enumerated() {
            let kept = min(max(length - index * 8, 0), 8)
            if byte & (0xFF >> kept) != 0, kept < 8 { return nil }
        }
        self.address = address
        prefixLength = length
    }

    /// Whether the address lies in the network.
    public func contains(_ other: IPAddress) -> Bool {
        guard other.family == address.family else { return false }
        for (index, byte) in address.bytes.enumerated() {
            let kept = min(max(prefixLength - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> kept)
            if (byte ^ other.bytes[index]) & mask != 0 { return false }
        }
        return true
    }

    public var description: String { "\(address)/\(prefixLength)" }
}

extension CIDR: SettingValue {
    public static var kind: ValueKind { .string(format: "cidr") }
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let network = CIDR(text.scalar) else {
            throw ConversionProblem(
                expected: "a network such as 10.0.0.0/8 or 2001:db8::/32", hint: "bits after the prefix must be zero")
        }
        self = network
    }
    public var plainValue: PlainValue { .string(description) }
}

/// A host name or address with a port: `db.internal:5432`, `[::1]:80`.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; an IPv6 address without its brackets.
    public let host: String
    /// 1 to 65535.
    public let port: Int

    /// `nil` unless the text is `host:port`; an IPv6 address stands in brackets.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard IPAddress(String(host))?.family == .v6 else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.allSatisfy({ !$0.isWhitespace && $0 != "/" }) else { return nil }
        self.host = String(host)
        self.port = Int(port)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension HostPort: SettingValue {
    public static var kind: ValueKind { .string(format: "host-port") }
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let value = HostPort(text.scalar) else {
            throw ConversionProblem(expected: "host:port such as db.internal:5432 or [::1]:80")
        }
        self = value
    }
    public var plainValue: PlainValue { .string(description) }
}
