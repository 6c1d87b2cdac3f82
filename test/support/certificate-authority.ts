export * from '../../local/certificate-authority';
