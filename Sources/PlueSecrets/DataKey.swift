import Crypto
import PlueConfig

/// A key that values are sealed with: 32 bytes that nothing prints, and the name derived from them.
///
/// The bytes are kept as those of a secret are: in memory that is locked, left out of core dumps, and erased with the last copy.
public struct DataKey: Sendable {
    /// By which encrypted values name it; made from the key itself.
    public let id: KeyID
    private let bytes: SecretBytes

    static let byteCount = 32

    /// A new key from the system's random numbers.
    public init() { self.init(SymmetricKey(size: .bits256).withUnsafeBytes { SecretBytes($0) }) }

    /// `nil` unless there are 32 bytes. The caller erases its own copy.
    init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(bytes.withUnsafeBytes { SecretBytes($0) })
    }

    private init(_ bytes: SecretBytes) {
        self.bytes = bytes
        id = KeyID(of: bytes.symmetricKey)
    }

    /// The key for a moment; swift-crypto erases what it keeps of it.
    var symmetricKey: SymmetricKey { bytes.symmetricKey }

    /// Hands the bytes to `body`, valid inside it only.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { bytes.withBytes(body) }
}

extension SecretBytes {
    fileprivate var symmetricKey: SymmetricKey { withBytes { SymmetricKey(data: $0) } }
}

extension DataKey: Hashable {
    /// The id alone would do, were it not 40 bits. swift-crypto compares keys in constant time.
    public static func == (left: DataKey, right: DataKey) -> Bool { left.id == right.id && left.symmetricKey == right.symmetricKey }
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension DataKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<data key \(id)>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
