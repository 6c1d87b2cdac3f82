/** Something that must not be committed, by where it stands; never the value. */
export interface Finding {
  /** As people name it: `deploy/k8s/prod/derms.yaml`. */
  readonly file: string;
  /** `JWT_SECRET of Secret derms` */
  readonly place: string;
  readonly fault: string;
}
