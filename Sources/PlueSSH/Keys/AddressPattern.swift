import PlueConfig

/// One pattern of a `from="…"` option: an address, a network, or an address with `*` and `?`, and `!` before what is kept out.
///
/// Names are not looked up, here as in sshd's default, so a pattern that only a name could match is no pattern.
struct AddressPattern: Hashable, Sendable {
    let isNegated: Bool
    private let form: Form

    private enum Form: Hashable {
        case network(CIDR)
        case address(IPAddress)
        case text(String)
    }

    /// `nil` when no address could ever match.
    init?(_ text: some StringProtocol) {
        isNegated = text.hasPrefix("!")
        let pattern = String(isNegated ? text.dropFirst() : text[...])
        if let network = CIDR(pattern), pattern.contains("/") {
            form = .network(network)
        } else if let address = IPAddress(pattern) {
            form = .address(address)
        } else if !pattern.isEmpty, pattern.contains(where: { "*?".contains($0) }),
            pattern.allSatisfy({ $0.isHexDigit && $0.isASCII || ".:*?".contains($0) }), pattern.count <= Self.longest
        {
            form = .text(pattern.lowercased())
        } else {
            return nil
        }
    }

    /// Longer than any address is; bounds what matching costs.
    private static let longest = 64

    func matches(_ address: IPAddress) -> Bool {
        switch form {
        case .network(let network): network.contains(address)
        case .address(let one): one == address
        case .text(let pattern): Self.matches(Array(address.description.lowercased().utf8)[...], Array(pattern.utf8)[...])
        }
    }

    /// `*` stands for any text, `?` for one character.
    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (text, pattern) = (text, pattern)
        var retry: (text: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
        while let byte = text.first {
            if pattern.first == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                retry = (text, pattern)
            } else if let wanted = pattern.first, wanted == UInt8(ascii: "?") || wanted == byte {
                text = text.dropFirst()
                pattern = pattern.dropFirst()
            } else if let (from, rest) = retry {
                // The last star takes one character more.
                text = from.dropFirst()
                pattern = rest
                retry = (text, pattern)
            } else {
                return false
            }
        }
        return pattern.allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
