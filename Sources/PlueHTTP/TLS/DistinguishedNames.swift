/// A certificate's issuer and subject, in the bytes by which a certificate and its issuer are matched (RFC 5280 §7.1).
///
/// All that is read of X.509 here: NIOSSL parses certificates, and keeps these two to itself.
struct DistinguishedNames {
    let issuer: ArraySlice<UInt8>
    let subject: ArraySlice<UInt8>

    init?(der: [UInt8]) {
        // Certificate ::= SEQUENCE { TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject …
        var certificate = Elements(der[...])
        guard let outer = certificate.next(0x30) else { return nil }
        var content = Elements(outer)
        guard let body = content.next(0x30) else { return nil }
        var fields = Elements(body)
        _ = fields.next(0xA0)
        guard fields.next(0x02) != nil, fields.next(0x30) != nil, let issuer = fields.next(0x30), fields.next(0x30) != nil,
            let subject = fields.next(0x30)
        else { return nil }
        self.issuer = issuer
        self.subject = subject
    }

    /// The subject's common name, the last when there are several.
    var commonName: String? {
        // Name ::= SEQUENCE OF SET OF SEQUENCE { OBJECT IDENTIFIER, value }
        var (name, found): (Elements, String?) = (Elements(subject), nil)
        while let set = name.next(0x31) {
            var attributes = Elements(set)
            while let attribute = attributes.next(0x30) {
                var parts = Elements(attribute)
                // id-at-commonName, 2.5.4.3
                guard let type = parts.next(0x06), Array(type) == [0x55, 0x04, 0x03],
                    // UTF8String, PrintableString, IA5String
                    let value = parts.next(0x0C) ?? parts.next(0x13) ?? parts.next(0x16)
                else { continue }
                found = String(validating: value, as: UTF8.self)
            }
        }
        return found
    }

    /// A run of DER elements, read one after the other.
    private struct Elements {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

        /// The next element if it has this tag; otherwise nothing is read.
        mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
            guard rest.first == tag, let short = rest.dropFirst().first else { return nil }
            var header = 2
            var length = Int(short)
            if short & 0x80 != 0 {
                let count = Int(short & 0x7F)
                guard (1...3).contains(count), rest.count >= 2 + count else { return nil }
                length = rest.dropFirst(2).prefix(count).reduce(0) { $0 << 8 | Int($1) }
                header += count
            }
            guard rest.count >= header + length else { return nil }
            defer { rest = rest.dropFirst(header + length) }
            return rest.dropFirst(header).prefix(length)
        }
    }
}
